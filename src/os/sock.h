/* os/sock.h: TCP sockets. Calls that wait have a deadline (clock_mono_ns); the others are non-blocking. */
#ifndef ORLOP_OS_SOCK_H
#define ORLOP_OS_SOCK_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

/* A listening, non-blocking socket on "host:port" or "[v6]:port" (port 0: any), SO_REUSEADDR, with SO_REUSEPORT if
 * asked. */
MUST_CHECK struct err *sock_listen(struct str address, bool reuseport, int backlog, int *ret_fd);
/* Connects, waiting until the deadline; the socket is non-blocking afterwards, TCP_NODELAY set. */
MUST_CHECK struct err *sock_connect(struct str host, uint16_t port, int64_t deadline_mono_ns, int *ret_fd);
/* Waits until readable or writable (POLLIN/POLLOUT); ERR_TIMEOUT past the deadline. */
MUST_CHECK struct err *sock_wait(int fd, short events, int64_t deadline_mono_ns);
/* As sock_wait, and tells which: *ret_events of poll(2), errors and hang-ups included. */
MUST_CHECK struct err *sock_poll(int fd, short events, int64_t deadline_mono_ns, short *ret_events);
/* "127.0.0.1:8080" of a socket's own end. buf of 64; returns buf. */
const char *sock_local_text(int fd, char buf[static 64]);
/* Text of an address; buf of 64; returns buf. */
const char *sock_addr_text(const struct sockaddr *sa, socklen_t len, char buf[static 64]);
/* Splits "host:port", "[v6]:port". ERR_INVALID. */
MUST_CHECK struct err *sock_split_address(struct str address, struct str *ret_host, uint16_t *ret_port);
/* Whether an address text names loopback only (127.0.0.0/8, ::1, localhost). */
bool sock_is_loopback(struct str host);
/* First IPv4 address of this host that is not loopback, else 127.0.0.1. buf of 64; returns buf. */
const char *sock_host_ip(char buf[static 64]);

#endif
