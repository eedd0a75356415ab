/* SPDX-FileCopyrightText: 2026 The ovm.messaging authors
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stand-in for the hypervisor, for Xen's own xenstored and oxenstored.
 *
 * Preloaded into either daemon (LD_PRELOAD) it answers what they ask of Xen: which domains
 * live, their memory, their event channels. So the real daemons run as ordinary processes of
 * ordinary users, and a guest is a process that shares a ring with one of them. Made for
 * Xen 4.17 to 4.20. The folder that FAKEXEN_DIR names is the machine:
 *
 *   dom-<id>    exists as long as the domain does; holds 's' shut down, 'c' crashed,
 *               'd' dying, or nothing for a running one
 *   ring-<id>   the page that the domain shares with XenStore
 *   evt-<id>    datagram socket: something comes in when XenStore notifies the domain
 *   evtchn      FIFO: the daemon's event channels; each event is the 32-bit number of a
 *               port, which is 1 for "some domain changed its state" and else id + 2
 *
 * The fixed paths of the daemons lead there as well: their socket is FAKEXEN_DIR/socket. Their
 * other files, needed by oxenstored since 4.18, are found below FAKEXEN_ROOT.
 *
 * LAB_READY     descriptor on which one byte is written once the daemon serves requests
 * LAB_TIED      if set, standard input is a pipe, and its end is the daemon's end as well
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))
#define UNUSED __attribute__((unused))

/* The function of the C library that one of ours stands in front of. */
#define NEXT(name) \
    static __typeof__(name) *next; \
    if (!next) \
        next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

enum { PAGE = 4096, PORT_VIRQ = 1, PORT_BASE = 2 };

/* Any pointer but NULL: the daemons only pass it back. */
static char handle[1];
static const char *machine = ".", *root = "";
static int ready = -1, channel = -1, notifier = -1;

__attribute__((constructor)) static void start(void)
{
    /* Not a signal at the parent's death: that is one at the death of the parent's thread. */
    struct pollfd tie = {.fd = STDIN_FILENO, .events = POLLIN};

    if (getenv("FAKEXEN_DIR"))
        machine = getenv("FAKEXEN_DIR");
    if (getenv("FAKEXEN_ROOT"))
        root = getenv("FAKEXEN_ROOT");
    if (getenv("LAB_TIED")) {
        if (fcntl(tie.fd, F_SETOWN, getpid()) || fcntl(tie.fd, F_SETSIG, SIGKILL) || fcntl(tie.fd, F_SETFL, O_ASYNC) ||
            poll(&tie, 1, 0))
            _exit(1); /* it cannot be tied, or has ended before it was */
    }
    if (getenv("LAB_READY"))
        ready = atoi(getenv("LAB_READY"));
}

/* The path of one of the machine's files. */
static const char *file(char *buffer, const char *name, int domain)
{
    if (domain < 0)
        snprintf(buffer, PATH_MAX, "%s/%s", machine, name);
    else
        snprintf(buffer, PATH_MAX, "%s/%s-%d", machine, name, domain);
    return buffer;
}

/* --- the fixed paths ------------------------------------------------------------------- */

/* Where a path that is compiled into the daemons leads. */
static const char *lead(const char *path, char *buffer)
{
    static const char *const own[] = {"/var/run/xenstored", "/run/xenstored", "/var/lib/xenstored",
                                      "/var/lib/xen/xenstore", "/var/log/xen", "/var/run/xen"};
    static const char *const package = "/usr/lib/xen-";
    size_t n, length;

    if (!path)
        return path;
    for (n = 0; n < sizeof own / sizeof *own; n++) {
        length = strlen(own[n]);
        if (!strncmp(path, own[n], length) && (!path[length] || path[length] == '/')) {
            snprintf(buffer, PATH_MAX, "%s%s", machine, path + length);
            return buffer;
        }
    }
    if (*root && !strncmp(path, package, strlen(package))) {
        snprintf(buffer, PATH_MAX, "%s%s", root, path);
        return buffer;
    }
    return path;
}

/* A function whose first argument is a path. */
#define LEAD(result, name, parameters, ...) \
    API result name parameters \
    { \
        char buffer[PATH_MAX]; \
        NEXT(name); \
        path = lead(path, buffer); \
        return next(__VA_ARGS__); \
    }

LEAD(int, access, (const char *path, int mode), path, mode)
LEAD(int, chmod, (const char *path, mode_t mode), path, mode)
LEAD(int, mkdir, (const char *path, mode_t mode), path, mode)
LEAD(int, unlink, (const char *path), path)
LEAD(int, stat, (const char *path, struct stat *result), path, result)
LEAD(int, stat64, (const char *path, struct stat64 *result), path, result)
LEAD(int, lstat, (const char *path, struct stat *result), path, result)
LEAD(int, lstat64, (const char *path, struct stat64 *result), path, result)
LEAD(FILE *, fopen, (const char *path, const char *mode), path, mode)
LEAD(FILE *, fopen64, (const char *path, const char *mode), path, mode)
LEAD(DIR *, opendir, (const char *path), path)
LEAD(void *, dlopen, (const char *path, int flags), path, flags)

API int rename(const char *from, const char *to)
{
    char first[PATH_MAX], second[PATH_MAX];

    NEXT(rename);
    return next(lead(from, first), lead(to, second));
}

API int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    struct sockaddr_un unix_address = {.sun_family = AF_UNIX};
    char path[sizeof unix_address.sun_path + 1] = "", buffer[PATH_MAX];
    const char *target;

    NEXT(bind);
    if (address->sa_family != AF_UNIX || length > sizeof unix_address)
        return next(fd, address, length);
    memcpy(path, ((const struct sockaddr_un *)address)->sun_path, length - sizeof address->sa_family);
    target = lead(path, buffer);
    if (target == path)
        return next(fd, address, length);
    if (strlen(target) >= sizeof unix_address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(unix_address.sun_path, target);
    return next(fd, (const struct sockaddr *)&unix_address, sizeof unix_address);
}

static int open_ring(int domain)
{
    char path[PATH_MAX];
    /* Dom0's is made by its kernel, which is not there; a guest's by whoever builds the guest. */
    int fd = openat(AT_FDCWD, file(path, "ring", domain), O_RDWR | O_CLOEXEC | (domain ? 0 : O_CREAT), 0600);

    if (fd >= 0 && !domain && ftruncate(fd, PAGE)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int open_path(const char *path, int flags, mode_t mode)
{
    char buffer[PATH_MAX];
    int ends[2];

    if (!strcmp(path, "/proc/xen/xsd_kva"))
        return open_ring(0);
    if (!strcmp(path, "/proc/xen/xsd_port")) {
        if (pipe2(ends, O_CLOEXEC))
            return -1;
        if (write(ends[1], "1", 1) != 1) /* any number will do for dom0's own port */
            return -1;
        close(ends[1]);
        return ends[0];
    }
    return openat(AT_FDCWD, lead(path, buffer), flags, mode);
}

#define OPEN(name) \
    API int name(const char *path, int flags, ...) \
    { \
        mode_t mode = 0; \
        va_list more; \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
            va_start(more, flags); \
            mode = va_arg(more, mode_t); \
            va_end(more); \
        } \
        return open_path(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

/* --- the process ----------------------------------------------------------------------- */

/* Both daemons come here first when all is set up. */
API int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    NEXT(poll);
    if (ready >= 0) {
        if (write(ready, "!", 1) != 1)
            perror("fakexen: cannot say that it is ready");
        close(ready);
        ready = -1;
    }
    return next(fds, count, timeout);
}

/* oxenstored wants 1048576 open files and does not run without, which takes a privilege. */
API int setrlimit(__rlimit_resource_t resource UNUSED, const struct rlimit *limit UNUSED)
{
    return 0;
}

API int setrlimit64(__rlimit_resource_t resource UNUSED, const struct rlimit64 *limit UNUSED)
{
    return 0;
}

/* What goes wrong belongs into the lab's log, not into the system's. */
API void vsyslog(int priority UNUSED, const char *format, va_list arguments)
{
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

API void syslog(int priority, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsyslog(priority, format, arguments);
    va_end(arguments);
}

API void __syslog_chk(int priority, int flag UNUSED, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsyslog(priority, format, arguments);
    va_end(arguments);
}

/* --- domains --------------------------------------------------------------------------- */

API void *xc_interface_open(void *logger UNUSED, void *dombuild UNUSED, unsigned flags UNUSED)
{
    return handle;
}

API int xc_interface_close(void *h UNUSED)
{
    return 0;
}

/* Whether a domain exists, and the letter that tells its state, or 0. */
static int domain_state(uint32_t domain, char *state)
{
    char path[PATH_MAX];
    int fd;

    *state = 0;
    if (!domain)
        return 1;
    fd = openat(AT_FDCWD, file(path, "dom", domain), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (read(fd, state, 1) < 0)
        *state = 0;
    close(fd);
    return 1;
}

/* The beginning of xc_dominfo_t: what the C daemon up to 4.17 asks for. */
struct dominfo {
    uint32_t domid, ssidref;
    unsigned dying : 1, crashed : 1, shutdown : 1;
};

API int xc_domain_getinfo(void *h UNUSED, uint32_t first, unsigned max UNUSED, struct dominfo *info)
{
    char state;

    if (!domain_state(first, &state))
        return 0;
    info->domid = first;
    info->ssidref = 0;
    info->dying = state == 'd';
    info->crashed = state == 'c';
    info->shutdown = state == 'c' || state == 's';
    return 1;
}

/* The beginning of xc_domaininfo_t: what all others ask for. */
struct domaininfo {
    uint16_t domain, pad;
    uint32_t flags;
};

enum { DYING = 1 << 0, SHUTDOWN = 1 << 2, REASON_CRASH = 3 << 16 };

API int xc_domain_getinfolist(void *h UNUSED, uint32_t first, unsigned max UNUSED, struct domaininfo *info)
{
    char state;

    if (!domain_state(first, &state))
        return 0;
    info->domain = first;
    info->pad = 0;
    info->flags = state == 'd' ? DYING : state == 's' ? SHUTDOWN : state == 'c' ? SHUTDOWN | REASON_CRASH : 0;
    return 1;
}

API int xc_domain_getinfo_single(void *h, uint32_t domain, struct domaininfo *info)
{
    if (xc_domain_getinfolist(h, domain, 1, info) == 1)
        return 0;
    errno = ESRCH;
    return -1;
}

/* oxenstored makes an exception of a failed call out of these two. */
API const void *xc_get_last_error(void *h UNUSED)
{
    static const struct {
        int code;
        char message[1024];
    } error = {1, "there is no such domain"};
    return &error;
}

API const char *xc_error_code_to_desc(int code UNUSED)
{
    return "fakexen";
}

/* --- memory ---------------------------------------------------------------------------- */

API void *xengnttab_open(void *logger UNUSED, unsigned flags UNUSED)
{
    return handle;
}

API int xengnttab_close(void *h UNUSED)
{
    return 0;
}

API int xengnttab_set_max_grants(void *h UNUSED, uint32_t count UNUSED)
{
    return 0;
}

API void *xengnttab_map_grant_ref(void *h UNUSED, uint32_t domain, uint32_t reference UNUSED, int protection)
{
    int fd = open_ring(domain);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, PAGE, protection, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    return page == MAP_FAILED ? NULL : page;
}

API int xengnttab_unmap(void *h UNUSED, void *page, uint32_t count)
{
    return munmap(page, (size_t)PAGE * count);
}

API void *xc_map_foreign_range(void *h, uint32_t domain, int size UNUSED, int protection, unsigned long mfn UNUSED)
{
    return xengnttab_map_grant_ref(h, domain, 0, protection);
}

/* --- event channels -------------------------------------------------------------------- */

API void *xenevtchn_open(void *logger UNUSED, unsigned flags UNUSED)
{
    char path[PATH_MAX];
    uint32_t stale[64];

    file(path, "evtchn", -1);
    if (mkfifo(path, 0600) && errno != EEXIST)
        return NULL;
    /* For reading and writing, so that it never ends; nonblocking, so that it can be emptied. */
    channel = openat(AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    notifier = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (channel < 0 || notifier < 0)
        return NULL;
    /* Domains that an earlier daemon knew may have left events behind. */
    while (read(channel, stale, sizeof stale) > 0)
        ;
    return handle;
}

API int xenevtchn_close(void *h UNUSED)
{
    close(notifier);
    return close(channel);
}

API int xenevtchn_fd(void *h UNUSED)
{
    return channel;
}

API int xenevtchn_bind_virq(void *h UNUSED, unsigned virq UNUSED)
{
    return PORT_VIRQ;
}

API int xenevtchn_bind_interdomain(void *h UNUSED, uint32_t domain, uint32_t remote_port UNUSED)
{
    return domain + PORT_BASE;
}

API int xenevtchn_unbind(void *h UNUSED, uint32_t port UNUSED)
{
    return 0;
}

API int xenevtchn_unmask(void *h UNUSED, uint32_t port UNUSED)
{
    return 0;
}

API int xenevtchn_pending(void *h UNUSED)
{
    uint32_t port;

    return read(channel, &port, sizeof port) == sizeof port ? (int)port : -1;
}

API int xenevtchn_notify(void *h UNUSED, uint32_t port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_MAX];

    file(path, "evt", port - PORT_BASE);
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    /* Where the queue is full, the guest has events to look at; where there is none, nobody listens. */
    sendto(notifier, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof address);
    return 0;
}
