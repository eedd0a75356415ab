/* SPDX-FileCopyrightText: 2026 The ovm.messaging authors
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stand-in for the device of the kernel driver "ovmapi", at the system call boundary.
 *
 * Preloaded into a process (LD_PRELOAD), it turns the plain file that FAKE_OVMAPI names into
 * the device; opening /dev/ovmapi leads there too. Where there is no such file there is no
 * device, and its mode says who may open it. All processes that use one file share one list,
 * as with one kernel. What the driver would write to XenStore goes, write by write, to a log.
 *
 * It behaves as the driver's source and observation on real Xen say (docs/explanation/protocol.md), odd
 * ends included. Where the driver would damage the kernel's memory, the process is aborted;
 * where it would send what lies behind its buffer, it sends eight bytes 0xEE and counts it.
 *
 * How it works: the shared state is a mapped file next to the device file. A handle is a FIFO
 * of its own, which holds one byte as long as the handle has an event queued. So poll, select
 * and epoll, dup, fork, exec and exit need no help, and a handle that is in the state but
 * whose FIFO has no reader was closed. Not imitated: read(), write() and fasync on the device.
 *
 * Not preloaded but opened with dlopen(), it offers the fakeovmapi_* functions at the end: the
 * host's side, for tests.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "/dev/ovmapi"
#define API __attribute__((visibility("default")))

enum {
    REGISTER_EVENT_HANDLER = 0x803,
    UNREGISTER_EVENT_HANDLER = 0x805,
    GET_NEXT_EVENT = 0x806,
    READ_PARAMETER = 0x80c,
    SEND_MESSAGE = 0x80d,
    GET_PARAM_COUNT = 0x80e,
    GET_PARAM_BY_INDEX = 0x80f,
    WRITE_PARAMETER = 0x811,
    DELETE_PARAM = 0x812,
    GET_ALL_PARAM_NAMES = 0x820,
    GET_PARAM_VALUE_SIZE_BY_NAME = 0x822,
    MODIFY_EVENT_FILTER = 0x823,
    POST_EVENT = 0x824,
    GET_EVENT_HEADER = 0x825,
    GET_NEXT_EVENT_HEADER = 0x826,
    GET_EVENT = 0x827,
    DISCARD_EVENT = 0x828,
    DISCARD_NEXT_EVENT = 0x829,
};

enum { EVENT_NEW_PARAM = 0x40, EVENT_MORE_PROCESSING = 0x4000 };
enum { SEVERITY_INFO = 1, SEVERITY_SYSTEM = 5, PHASE_IMMEDIATE = 1 };
enum { NAME_SIZE = 256, VALUE_SIZE = 8192, PIECE = 2048, EVENT_SIZE = 4096 };
/* The kernel has no such limits; a test that meets one gets ENOMEM or loses an event. */
enum { PARAMETERS = 2048, HANDLES = 64, EVENTS = 512 };

struct param_record {
    uint32_t index;
    char name[NAME_SIZE];
    uint32_t value_size; /* with its NUL */
    char *value;
} __attribute__((packed));

struct names_record {
    uint32_t count;
    char *slots;
} __attribute__((packed));

struct filter_record {
    unsigned long subscribe, unsubscribe;
} __attribute__((packed));

struct event_header {
    unsigned long id;
    uint16_t type, severity, phase, size;
} __attribute__((packed));

enum { PAYLOAD_SIZE = EVENT_SIZE - sizeof(struct event_header) };

struct event {
    struct event_header header;
    char payload[PAYLOAD_SIZE];
} __attribute__((packed));

struct parameter {
    char name[NAME_SIZE];
    uint32_t value_size;
    char value[VALUE_SIZE];
};

struct handle {
    unsigned long serial; /* 0: free */
    uint32_t device_major, device_minor;
    uint64_t inode;
    int registered, was_registered;
    unsigned long mask;
    unsigned count;
    struct event events[EVENTS]; /* oldest first */
};

struct state {
    int ready;
    pthread_mutex_t mutex;
    unsigned long last_write, event_counter, serial;
    unsigned long leaked;   /* events that were queued on a handle when it was closed */
    unsigned long overruns; /* how often the driver would have read behind a value */
    unsigned long locked_by; /* the serial of the handle that holds the flock, or 0 */
    unsigned fail_call;
    int fail_error;
    unsigned count;
    struct parameter parameters[PARAMETERS];
    struct handle handles[HANDLES];
};

/* A device and its shared state. Its path leaves room for the names of the files behind it. */
struct device {
    char path[PATH_MAX - 64];
    struct state *state;
};

/* --- the shared state ---------------------------------------------------------------- */

static int raw_open(const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void file_of(const struct device *device, const char *name, char *path)
{
    strcat(strcat(strcpy(path, device->path), ".lab/"), name);
}

static int map_state(struct device *device, int fd)
{
    struct statx status;
    if (syscall(SYS_flock, fd, LOCK_EX) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &status) < 0)
        return -errno;
    if (status.stx_size < sizeof(struct state) && ftruncate(fd, sizeof(struct state)) < 0)
        return -errno;
    struct state *state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (state == MAP_FAILED)
        return -errno;
    if (!state->ready) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&state->mutex, &attributes);
        state->ready = 1;
    }
    device->state = state;
    return 0;
}

/* Map the state, making it first if wanted. Returns 0 or a negative errno. */
static int attach(struct device *device, int create)
{
    char path[PATH_MAX];
    if (device->state)
        return 0;
    file_of(device, "", path);
    if (create && mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    file_of(device, "state", path);
    int fd = raw_open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (fd < 0)
        return -errno;
    int error = map_state(device, fd);
    syscall(SYS_flock, fd, LOCK_UN); /* the mapping would keep it beyond the close */
    syscall(SYS_close, fd);
    return error;
}

static void lock(struct state *state)
{
    if (pthread_mutex_lock(&state->mutex) == EOWNERDEAD)
        pthread_mutex_consistent(&state->mutex); /* a process was killed in here */
}

static void unlock(struct state *state)
{
    pthread_mutex_unlock(&state->mutex);
}

/* --- handles; all of this with the state locked ---------------------------------------- */

static void fifo_of(const struct device *device, const struct handle *handle, char *path)
{
    char name[32];
    snprintf(name, sizeof name, "handle.%lu", handle->serial);
    file_of(device, name, path);
}

/* Whether a handle is open; one that was closed is forgotten. */
static int alive(const struct device *device, struct handle *handle)
{
    char path[PATH_MAX];
    if (!handle->serial)
        return 0;
    fifo_of(device, handle, path);
    int fd = raw_open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd >= 0) {
        syscall(SYS_close, fd);
        return 1;
    }
    unlink(path);
    if (device->state->locked_by == handle->serial)
        device->state->locked_by = 0;
    device->state->leaked += handle->count;
    memset(handle, 0, offsetof(struct handle, events));
    return 0;
}

static struct handle *handle_of(const struct device *device, int fd)
{
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &status) < 0 || !S_ISFIFO(status.stx_mode))
        return NULL;
    for (struct handle *handle = device->state->handles; handle < device->state->handles + HANDLES; handle++)
        if (handle->serial && handle->inode == status.stx_ino && handle->device_major == status.stx_dev_major &&
            handle->device_minor == status.stx_dev_minor)
            return handle;
    return NULL;
}

static int open_handle(const struct device *device, int flags)
{
    struct handle *handle = NULL;
    struct state *state = device->state;
    char path[PATH_MAX];
    struct statx status;

    for (struct handle *each = state->handles; each < state->handles + HANDLES; each++)
        if (!alive(device, each) && !handle)
            handle = each;
    if (!handle)
        return -ENOMEM;
    handle->serial = ++state->serial;
    fifo_of(device, handle, path);
    int fd = -1;
    if (mkfifo(path, 0600) < 0 || (fd = raw_open(path, O_RDWR | (flags & (O_CLOEXEC | O_NONBLOCK)), 0)) < 0 ||
        statx(fd, "", AT_EMPTY_PATH, STATX_INO, &status) < 0) {
        int error = errno;
        if (fd >= 0)
            syscall(SYS_close, fd);
        unlink(path);
        handle->serial = 0;
        return -error;
    }
    handle->inode = status.stx_ino;
    handle->device_major = status.stx_dev_major;
    handle->device_minor = status.stx_dev_minor;
    handle->mask = EVENT_MORE_PROCESSING;
    return fd;
}

/* --- events; with the state locked ------------------------------------------------------ */

static void queue(const struct device *device, struct handle *handle, const struct event *event)
{
    char path[PATH_MAX];
    if (!alive(device, handle) || !handle->registered || !(handle->mask & event->header.type) ||
        handle->count == EVENTS)
        return;
    handle->events[handle->count++] = *event;
    handle->events[handle->count - 1].header.id = device->state->event_counter;
    if (handle->count > 1)
        return;
    fifo_of(device, handle, path);
    int fd = raw_open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd < 0 || write(fd, "", 1) != 1)
        abort();
    syscall(SYS_close, fd);
}

static void post(const struct device *device, const struct event *event, const struct handle *source)
{
    for (struct handle *handle = device->state->handles; handle < device->state->handles + HANDLES; handle++)
        if (handle != source)
            queue(device, handle, event);
    device->state->event_counter++;
}

static void post_new_param(const struct device *device, const char *name)
{
    struct event event = {.header = {0, EVENT_NEW_PARAM, SEVERITY_INFO, PHASE_IMMEDIATE, 0}};
    event.header.size = (uint16_t)(strlen(name) + 1);
    memcpy(event.payload, name, event.header.size);
    post(device, &event, NULL); /* to the sender too */
}

static void drop_event(struct handle *handle, int fd, struct event *event)
{
    char token;
    handle->count--;
    memmove(event, event + 1, (size_t)((char *)(handle->events + handle->count) - (char *)event));
    if (!handle->count && read(fd, &token, 1) != 1)
        abort();
}

static struct event *event_by_id(struct handle *handle, unsigned long id)
{
    for (unsigned n = 0; n < handle->count; n++)
        if (handle->events[n].header.id == id)
            return handle->events + n;
    return NULL;
}

static long event_call(const struct device *device, struct handle *handle, int fd, unsigned call, void *argument)
{
    struct filter_record filter;
    struct event *event;
    unsigned long id;

    switch (call) {
    case MODIFY_EVENT_FILTER:
        memcpy(&filter, argument, sizeof filter);
        handle->mask = (handle->mask & ~filter.unsubscribe) | filter.subscribe;
        for (unsigned n = filter.unsubscribe ? handle->count : 0; n-- > 0;)
            if (!(handle->mask & handle->events[n].header.type))
                drop_event(handle, fd, handle->events + n);
        return 0;
    case POST_EVENT:
        post(device, argument, handle);
        return 0;
    case GET_NEXT_EVENT_HEADER:
    case GET_NEXT_EVENT:
    case DISCARD_NEXT_EVENT:
        event = handle->count ? handle->events : NULL;
        if (!event)
            return 0; /* and the buffer stays as it was */
        break;
    default:
        memcpy(&id, argument, sizeof id);
        event = event_by_id(handle, id);
        if (!event)
            return -EINVAL;
    }
    if (call == GET_EVENT_HEADER || call == GET_NEXT_EVENT_HEADER) {
        memcpy(argument, event, sizeof event->header);
        return 0;
    }
    if (call == GET_EVENT || call == GET_NEXT_EVENT)
        memcpy(argument, event, sizeof event->header + event->header.size);
    if (call == GET_NEXT_EVENT && event->header.type == EVENT_MORE_PROCESSING)
        memcpy((char *)argument + sizeof event->header, &handle->mask, sizeof handle->mask);
    drop_event(handle, fd, event);
    return 0;
}

/* --- parameters; with the state locked --------------------------------------------------- */

static struct parameter *parameter_by_name(struct state *state, const char *name)
{
    for (struct parameter *each = state->parameters; each < state->parameters + state->count; each++)
        if (!strcmp(each->name, name))
            return each;
    return NULL;
}

static long store(const struct device *device, const char *name, const char *value, uint32_t size)
{
    struct parameter *parameter = parameter_by_name(device->state, name);
    if (!parameter) {
        if (device->state->count == PARAMETERS)
            return -ENOMEM;
        parameter = device->state->parameters + device->state->count++;
        snprintf(parameter->name, sizeof parameter->name, "%s", name);
    }
    memcpy(parameter->value, value, size);
    parameter->value_size = size;
    post_new_param(device, name);
    return 0;
}

static long all_names(struct state *state, struct names_record *argument)
{
    struct names_record names;
    uint32_t n;
    memcpy(&names, argument, sizeof names);
    for (n = 0; n < names.count && n < state->count; n++)
        memcpy(names.slots + n * NAME_SIZE, state->parameters[n].name, strlen(state->parameters[n].name));
    memcpy(&argument->count, &n, sizeof n);
    return 0;
}

static long parameter_call(struct state *state, unsigned call, struct param_record *argument)
{
    struct param_record record;
    struct parameter *parameter;

    memcpy(&record, argument, sizeof record);
    if (call == GET_PARAM_BY_INDEX)
        parameter = record.index < state->count ? state->parameters + record.index : NULL;
    else
        parameter = parameter_by_name(state, record.name);
    if (!parameter)
        return call == DELETE_PARAM ? 1 : call == GET_PARAM_VALUE_SIZE_BY_NAME ? -EINVAL : -ENOENT;
    if (call == DELETE_PARAM) {
        struct parameter *end = state->parameters + state->count--;
        memmove(parameter, parameter + 1, (size_t)((char *)end - (char *)(parameter + 1)));
        return 0;
    }
    int fits = parameter->value_size <= record.value_size;
    if (!fits && call == GET_PARAM_BY_INDEX)
        return -EINVAL;
    record.value_size = parameter->value_size;
    if (call == GET_PARAM_BY_INDEX)
        memcpy(record.name, parameter->name, strlen(parameter->name));
    if (fits && call != GET_PARAM_VALUE_SIZE_BY_NAME)
        memcpy(record.value, parameter->value, parameter->value_size);
    memcpy(argument, &record, sizeof record);
    return fits || call == GET_PARAM_VALUE_SIZE_BY_NAME ? 0 : -EINVAL;
}

/* --- transmitting; without the lock, as the driver does ---------------------------------- */

/* One write to XenStore: a line "path value", the value in hexadecimal. */
static void xenstore_write(const struct device *device, const char *node, const char *value, size_t size)
{
    char path[PATH_MAX], line[2 * (PIECE + 8) + 128];
    int length = snprintf(line, sizeof line, "control/oracle-vmapi/from-guest/%s ", node);
    for (size_t n = 0; n < size; n++)
        length += sprintf(line + length, "%02x", (unsigned char)value[n]);
    line[length++] = '\n';
    file_of(device, "xenstore-writes", path);
    int fd = raw_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        abort();
    syscall(SYS_close, fd);
    sched_yield(); /* a real write takes far longer: let others come in between */
}

static void transmit(const struct device *device, const char *name, const char *value, uint32_t size)
{
    struct state *state = device->state;
    char node[48], piece[PIECE + 8];

    lock(state);
    unsigned long number = ++state->last_write;
    unlock(state);
    snprintf(node, sizeof node, "%lu", number);
    xenstore_write(device, node, name, strlen(name));
    for (uint32_t n = 0; n <= size / PIECE; n++) {
        /* A piece is a C string. It ends where the driver has put a NUL for the next one,
         * or with the value's own; where there is none, it goes on behind the buffer. */
        size_t room = size - n * PIECE < PIECE ? size - n * PIECE : PIECE;
        size_t length = strnlen(value + n * PIECE, room);
        memcpy(piece, value + n * PIECE, length);
        if (length == room && size <= (n + 1) * PIECE) {
            memset(piece + length, 0xee, 8);
            length += 8;
            __atomic_add_fetch(&state->overruns, 1, __ATOMIC_SEQ_CST);
        }
        snprintf(node, sizeof node, "%lu/%u", number, n);
        xenstore_write(device, node, piece, length);
    }
    lock(state);
    number = state->last_write; /* not locked in the driver: perhaps another sender's by now */
    unlock(state);
    xenstore_write(device, "last-write", node, (size_t)snprintf(node, sizeof node, "%lu", number));
}

static long send_call(const struct device *device, unsigned call, const struct param_record *argument)
{
    struct param_record record;
    char value[VALUE_SIZE];

    memcpy(&record, argument, sizeof record);
    if (!record.value_size || record.value_size > VALUE_SIZE)
        return -EMSGSIZE;
    record.name[NAME_SIZE - 1] = '\0';
    if (!record.value)
        return -EFAULT;
    memcpy(value, record.value, record.value_size);
    transmit(device, record.name, value, record.value_size);
    if (call == SEND_MESSAGE)
        return 0;
    lock(device->state);
    long result = store(device, record.name, value, record.value_size);
    unlock(device->state);
    return result;
}

/* --- ioctl -------------------------------------------------------------------------------- */

static void corrupted(const char *how)
{
    fprintf(stderr, "fakeovmapi: %s: this corrupts the kernel's list of handles\n", how);
    abort();
}

static long locked_call(const struct device *device, struct handle *handle, int fd, unsigned call, void *argument)
{
    switch (call) {
    case REGISTER_EVENT_HANDLER:
        if (handle->was_registered)
            corrupted("the same handle was registered twice");
        handle->registered = handle->was_registered = 1;
        return 0;
    case UNREGISTER_EVENT_HANDLER:
        handle->registered = 0;
        while (handle->count)
            drop_event(handle, fd, handle->events);
        return 0;
    }
    if (!argument)
        return -EINVAL;
    switch (call) {
    case GET_PARAM_COUNT:
        *(unsigned long *)argument = device->state->count;
        return 0;
    case GET_ALL_PARAM_NAMES:
        return all_names(device->state, argument);
    case READ_PARAMETER:
    case GET_PARAM_BY_INDEX:
    case GET_PARAM_VALUE_SIZE_BY_NAME:
    case DELETE_PARAM:
        return parameter_call(device->state, call, argument);
    case MODIFY_EVENT_FILTER:
    case POST_EVENT:
    case GET_EVENT_HEADER:
    case GET_NEXT_EVENT_HEADER:
    case GET_EVENT:
    case GET_NEXT_EVENT:
    case DISCARD_EVENT:
    case DISCARD_NEXT_EVENT:
        return event_call(device, handle, fd, call, argument);
    }
    return -EINVAL;
}

/* Sets *ours; returns what the driver would. */
static long device_call(const struct device *device, int fd, unsigned call, void *argument, int *ours)
{
    struct state *state = device->state;
    long result;

    lock(state);
    struct handle *handle = handle_of(device, fd);
    *ours = handle != NULL;
    if (!handle) {
        result = 0;
    } else if (call != REGISTER_EVENT_HANDLER && !handle->registered) {
        result = -EINVAL;
    } else if (call == state->fail_call) {
        state->fail_call = 0;
        result = -state->fail_error;
    } else if ((call == WRITE_PARAMETER || call == SEND_MESSAGE) && argument) {
        unlock(state);
        return send_call(device, call, argument);
    } else {
        result = locked_call(device, handle, fd, call, argument);
    }
    unlock(state);
    return result;
}

/* --- what a process sees -------------------------------------------------------------------- */

static struct device preloaded;

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("FAKE_OVMAPI");
    if (path && strlen(path) < sizeof preloaded.path)
        strcpy(preloaded.path, path);
}

static int is_device(const char *path)
{
    return preloaded.path[0] && (!strcmp(path, DEVICE) || !strcmp(path, preloaded.path));
}

static const char *target(const char *path)
{
    return is_device(path) ? preloaded.path : path;
}

static int is_handle(int fd)
{
    if (!preloaded.path[0] || attach(&preloaded, 0) < 0)
        return 0;
    lock(preloaded.state);
    int found = handle_of(&preloaded, fd) != NULL;
    unlock(preloaded.state);
    return found;
}

static int open_device(int flags)
{
    /* The plain file says whether there is a device, and who may open it. */
    int fd = raw_open(preloaded.path, (flags & O_ACCMODE) | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    syscall(SYS_close, fd);
    int result = attach(&preloaded, 1);
    if (!result) {
        lock(preloaded.state);
        result = open_handle(&preloaded, flags);
        unlock(preloaded.state);
    }
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

#define NEXT(function) \
    static __typeof__(function) *next; \
    if (!next) \
        next = (__typeof__(function) *)dlsym(RTLD_NEXT, #function)

#define MODE_ARGUMENT(flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode = va_arg(arguments, mode_t); \
        va_end(arguments); \
    }

#define OPEN(function) \
    API int function(const char *path, int flags, ...) \
    { \
        MODE_ARGUMENT(flags, mode) \
        NEXT(function); \
        return is_device(path) ? open_device(flags) : next(path, flags, mode); \
    }

#define OPENAT(function) \
    API int function(int directory, const char *path, int flags, ...) \
    { \
        MODE_ARGUMENT(flags, mode) \
        NEXT(function); \
        return is_device(path) ? open_device(flags) : next(directory, path, flags, mode); \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

/* A misc device of no particular number. */
#define MAKE_DEVICE(status) \
    ((status)->st_mode = S_IFCHR | ((status)->st_mode & 07777), (status)->st_rdev = makedev(10, 120), (status)->st_size = 0)

#define STAT(function, type) \
    API int function(const char *path, struct type *status) \
    { \
        NEXT(function); \
        int result = next(target(path), status); \
        if (!result && is_device(path)) \
            MAKE_DEVICE(status); \
        return result; \
    }

#define FSTAT(function, type) \
    API int function(int fd, struct type *status) \
    { \
        NEXT(function); \
        int result = next(fd, status); \
        if (!result && S_ISFIFO(status->st_mode) && is_handle(fd)) \
            MAKE_DEVICE(status); \
        return result; \
    }

#define FSTATAT(function, type) \
    API int function(int directory, const char *path, struct type *status, int flags) \
    { \
        NEXT(function); \
        int result = next(directory, target(path), status, flags); \
        if (!result && (is_device(path) || (S_ISFIFO(status->st_mode) && !path[0] && is_handle(directory)))) \
            MAKE_DEVICE(status); \
        return result; \
    }

STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

API int access(const char *path, int mode)
{
    NEXT(access);
    return next(target(path), mode);
}

API int ioctl(int fd, unsigned long call, ...)
{
    NEXT(ioctl);
    va_list arguments;
    va_start(arguments, call);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (preloaded.path[0] && !attach(&preloaded, 0)) {
        int ours;
        long result = device_call(&preloaded, fd, (unsigned)call, argument, &ours);
        if (ours && result < 0) {
            errno = (int)-result;
            return -1;
        }
        if (ours)
            return (int)result;
    }
    return next(fd, call, argument);
}

/* The FIFOs are many, the device is one: a lock on any handle locks it for all others. */
API int flock(int fd, int operation)
{
    NEXT(flock);
    if (!is_handle(fd))
        return next(fd, operation);
    struct state *state = preloaded.state;
    for (;;) {
        lock(state);
        unsigned long self = handle_of(&preloaded, fd)->serial;
        for (struct handle *each = state->handles; each < state->handles + HANDLES; each++)
            if (each->serial == state->locked_by)
                alive(&preloaded, each); /* a closed handle loses its lock */
        int free = !state->locked_by || state->locked_by == self;
        if (free)
            state->locked_by = operation & LOCK_UN ? 0 : self;
        unlock(state);
        if (free || operation & LOCK_UN)
            return 0;
        if (operation & LOCK_NB) {
            errno = EWOULDBLOCK;
            return -1;
        }
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

/* --- the host's side, for tests ---------------------------------------------------------------- */

static int attach_to(struct device *device, const char *path)
{
    device->state = NULL;
    if (strlen(path) >= sizeof device->path)
        return -ENAMETOOLONG;
    strcpy(device->path, path);
    return attach(device, 1);
}

static void detach(struct device *device)
{
    munmap(device->state, sizeof *device->state);
}

/* Send a message to the guest; 0, or -EMSGSIZE where the driver drops it. */
API int fakeovmapi_inject(const char *path, const char *key, const char *value, size_t size)
{
    struct device device;
    char name[NAME_SIZE - 1], copy[VALUE_SIZE] = {0};
    int result = size < sizeof copy ? attach_to(&device, path) : -EMSGSIZE;
    if (result)
        return result;
    snprintf(name, sizeof name, "%s", key);
    memcpy(copy, value, size);
    lock(device.state);
    if (!strcmp(name, "VMAPIEvent")) {
        /* The payload is the receiver's mask and the text with its NUL. */
        struct event event = {.header = {0, EVENT_MORE_PROCESSING, SEVERITY_SYSTEM, PHASE_IMMEDIATE, 0}};
        if (sizeof(unsigned long) + size + 1 > PAYLOAD_SIZE) {
            result = -EMSGSIZE;
        } else {
            event.header.size = (uint16_t)(sizeof(unsigned long) + size + 1);
            memcpy(event.payload + sizeof(unsigned long), copy, size + 1);
            post(&device, &event, NULL);
        }
    } else {
        result = (int)store(&device, name, copy, (uint32_t)size + 1);
    }
    unlock(device.state);
    detach(&device);
    return result;
}

/* Have the next such call on the device fail, once. */
API int fakeovmapi_fail(const char *path, unsigned call, int error)
{
    struct device device;
    int result = attach_to(&device, path);
    if (result)
        return result;
    lock(device.state);
    device.state->fail_call = call;
    device.state->fail_error = error;
    unlock(device.state);
    detach(&device);
    return 0;
}

/* Counts since the device was made: handles open now, events leaked, overruns. */
API int fakeovmapi_counts(const char *path, unsigned long counts[3])
{
    struct device device;
    int result = attach_to(&device, path);
    if (result)
        return result;
    lock(device.state);
    counts[0] = 0;
    for (struct handle *each = device.state->handles; each < device.state->handles + HANDLES; each++)
        counts[0] += alive(&device, each);
    counts[1] = device.state->leaked;
    counts[2] = device.state->overruns;
    unlock(device.state);
    detach(&device);
    return 0;
}
