/* os/sysinfo.h: what the machine and this process use: from /proc and cgroups. Reads files: workers only. */
#ifndef ORLOP_OS_SYSINFO_H
#define ORLOP_OS_SYSINFO_H

#include <stdint.h>

#include "base/err.h"

struct sysinfo_cpu_mem {
        uint64_t mem_total, mem_used, mem_free, mem_buff_cache, mem_actual_free, mem_actual_used; /* bytes */
        uint64_t swap_total, swap_free, swap_used;
        uint64_t proc_size, proc_resident, proc_share; /* this process, bytes */
        uint64_t cpu_user_ms, cpu_system_ms;           /* this process */
        double proc_cpu_pct;                           /* since the last call */
        double load1, load5, load15;
        unsigned cpus;
        int cpu_util_pct; /* of the machine, since the last call */
};
/* Numbers of this moment. */
MUST_CHECK struct err *sysinfo_read(struct sysinfo_cpu_mem *ret);
/* Memory that this process may use: the machine's, or the least limit of the cgroups (v2, else v1) that it is in, from
 * its own up to the root. 0: not known. */
uint64_t sysinfo_memory_limit(void);
/* The allocator gives freed memory back to the machine at once, at some cost of time: for small machines and cgroups.
 * Before threads are started. */
void sysinfo_save_memory(void);
/* Host name; buf always terminated. */
void sysinfo_hostname(char *buf, size_t size);
/* Raises RLIMIT_NOFILE to its hard limit; returns the limit in force. */
uint64_t sysinfo_raise_nofile(void);

#endif
