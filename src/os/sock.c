/* TCP sockets. Every descriptor is made non-blocking and close-on-exec; waiting is by poll with what is left of the
 * deadline. Names are resolved by getaddrinfo, which may block past the deadline when the resolver is slow; numeric
 * addresses never do. */
#include "os/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/priv.h"

enum { HOST_MAX = 256 };

static struct err *resolve(struct str host, uint16_t port, int flags, struct addrinfo **ret)
{
        struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_flags = flags | AI_NUMERICSERV };
        char name[HOST_MAX], service[8];
        int r;

        if (!str_copy(name, sizeof(name), host) || strlen(name) != host.n)
                return err_new(ERR_INVALID, "host name %.*s", (int)MIN(host.n, 64u), host.p);
        (void)snprintf(service, sizeof(service), "%u", port);
        r = getaddrinfo(host.n ? name : NULL, service, &hints, ret);
        if (r == EAI_MEMORY)
                return err_static(ERR_NO_MEMORY);
        if (r == EAI_SYSTEM)
                return err_sys(errno, "resolve %s", name);
        if (r != 0)
                return err_new(ERR_INVALID, "resolve %s: %s", name, gai_strerror(r));
        return NULL;
}

static struct err *listen_on(const struct addrinfo *ai, bool reuseport, int backlog, int *ret_fd)
{
        AUTO_FD int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int on = 1;

        if (fd < 0)
                return err_sys(errno, "socket");
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
                return err_sys(errno, "SO_REUSEADDR");
        if (reuseport && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
                return err_sys(errno, "SO_REUSEPORT");
        /* Inherited by accepted sockets: spares a system call for each. */
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
                return err_sys(errno, "TCP_NODELAY");
        if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0)
                return errno == EADDRINUSE ? err_new(ERR_IN_USE, "address is in use") : err_sys(errno, "bind");
        if (listen(fd, backlog) != 0)
                return errno == EADDRINUSE ? err_new(ERR_IN_USE, "address is in use") : err_sys(errno, "listen");
        *ret_fd = fd;
        fd = -1;
        return NULL;
}

struct err *sock_listen(struct str address, bool reuseport, int backlog, int *ret_fd)
{
        struct str host;
        uint16_t port;
        struct addrinfo *list;
        struct err *e;

        TRY(sock_split_address(address, &host, &port));
        TRY(resolve(host, port, AI_PASSIVE, &list));
        e = listen_on(list, reuseport, backlog, ret_fd);
        freeaddrinfo(list);
        return e ? err_wrap(e, "listen on " STR_FMT, STR_ARG(address)) : NULL;
}

static struct err *connect_to(const struct addrinfo *ai, int64_t deadline_mono_ns, int *ret_fd)
{
        AUTO_FD int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int on = 1, sys = 0;
        socklen_t len = sizeof(sys);

        if (fd < 0)
                return err_sys(errno, "socket");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
                if (errno != EINPROGRESS && errno != EINTR)
                        return err_sys(errno, "connect");
                TRY(sock_wait(fd, POLLOUT, deadline_mono_ns));
                if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) != 0)
                        sys = errno;
                if (sys != 0)
                        return err_sys(sys, "connect");
        }
        *ret_fd = fd;
        fd = -1;
        return NULL;
}

struct err *sock_connect(struct str host, uint16_t port, int64_t deadline_mono_ns, int *ret_fd)
{
        struct addrinfo *list;
        struct err *e = NULL;

        TRY(resolve(host, port, AI_ADDRCONFIG, &list));
        for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
                err_free(e);
                e = connect_to(ai, deadline_mono_ns, ret_fd);
                if (!e || e->code == ERR_TIMEOUT)
                        break;
        }
        freeaddrinfo(list);
        return e ? err_wrap(e, "connect to " STR_FMT ":%u", STR_ARG(host), port) : NULL;
}

struct err *sock_wait(int fd, short events, int64_t deadline_mono_ns)
{
        short got; /* errors and hang-ups are for the next call on the socket to tell */

        return sock_poll(fd, events, deadline_mono_ns, &got);
}

struct err *sock_poll(int fd, short events, int64_t deadline_mono_ns, short *ret_events)
{
        struct pollfd p = { .fd = fd, .events = events, .revents = 0 };

        for (;;) {
                int64_t left_ms = (deadline_mono_ns - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
                int r = poll(&p, 1, left_ms <= 0 ? 0 : (int)MIN(left_ms, 3600 * 1000));

                if (r > 0) {
                        *ret_events = p.revents;
                        return NULL;
                }
                if (r < 0 && errno != EINTR)
                        return err_sys(errno, "poll");
                if (r == 0 && left_ms <= 0)
                        return err_static(ERR_TIMEOUT);
        }
}

const char *sock_addr_text(const struct sockaddr *sa, socklen_t len, char buf[static 64])
{
        char ip[INET6_ADDRSTRLEN] = "?";

        if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
                const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

                (void)inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
                (void)snprintf(buf, 64, "%s:%u", ip, ntohs(in->sin_port));
        } else if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
                const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

                (void)inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
                (void)snprintf(buf, 64, "[%s]:%u", ip, ntohs(in6->sin6_port));
        } else {
                (void)snprintf(buf, 64, "?");
        }
        return buf;
}

const char *sock_local_text(int fd, char buf[static 64])
{
        struct sockaddr_storage ss;
        socklen_t len = sizeof(ss);

        if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0) {
                (void)snprintf(buf, 64, "?");
                return buf;
        }
        return sock_addr_text((const struct sockaddr *)&ss, len, buf);
}

struct err *sock_split_address(struct str address, struct str *ret_host, uint16_t *ret_port)
{
        struct str host, port;
        uint64_t v;

        if (address.n > 0 && address.p[0] == '[') {
                ptrdiff_t end = str_find(address, ']');

                if (end < 2 || (size_t)end + 1 >= address.n || address.p[end + 1] != ':')
                        return err_new(ERR_INVALID, "address \"" STR_FMT "\": expected [host]:port", STR_ARG(address));
                host = (struct str){ address.p + 1, (size_t)end - 1 };
                port = str_skip(address, (size_t)end + 2);
        } else {
                ptrdiff_t colon = str_find(address, ':');

                if (colon < 0)
                        return err_new(ERR_INVALID, "address \"" STR_FMT "\": expected host:port", STR_ARG(address));
                host = (struct str){ address.p, (size_t)colon };
                port = str_skip(address, (size_t)colon + 1);
        }
        /* A second colon outside brackets, like all else that is not a number, ends here. */
        if (port.n == 0 || port.n > 5 || !str_u64(port, &v) || v > 65535)
                return err_new(ERR_INVALID, "address \"" STR_FMT "\": bad port", STR_ARG(address));
        for (size_t i = 0; i < host.n; i++)
                if ((unsigned char)host.p[i] <= ' ' || host.p[i] == '/' || host.p[i] == '@')
                        return err_new(ERR_INVALID, "address \"" STR_FMT "\": bad host", STR_ARG(address));
        *ret_host = host;
        *ret_port = (uint16_t)v;
        return NULL;
}

bool sock_is_loopback(struct str host)
{
        char name[64];
        struct in_addr v4;
        struct in6_addr v6;

        if (str_eq_nocase(host, STR("localhost")))
                return true;
        if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
                host = (struct str){ host.p + 1, host.n - 2 };
        if (!str_copy(name, sizeof(name), host) || strlen(name) != host.n)
                return false;
        if (inet_pton(AF_INET, name, &v4) == 1)
                return ntohl(v4.s_addr) >> 24 == 127;
        return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

const char *sock_host_ip(char buf[static 64])
{
        struct ifaddrs *list = NULL;

        (void)snprintf(buf, 64, "127.0.0.1");
        if (getifaddrs(&list) != 0)
                return buf;
        for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
                if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || i->ifa_flags & IFF_LOOPBACK ||
                    !(i->ifa_flags & IFF_UP))
                        continue;
                (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, buf, 64);
                break;
        }
        freeifaddrs(list);
        return buf;
}
