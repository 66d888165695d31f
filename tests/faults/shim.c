/* Stands between the program and its files: notes what it does to them, and lets calls fail.
 *
 * Loaded by LD_PRELOAD. Calls on what lies below INTERDOCKET_SHIM_BELOW are noted in order, after
 * they were made, in INTERDOCKET_SHIM_LOG. INTERDOCKET_SHIM_CONTROL is a file of four words (see
 * `struct control`) through which a test counts calls and chooses one that fails.
 * INTERDOCKET_SHIM_BUG plants a bug: syncs of files ("file") or of directories ("directory") never
 * happen, or happen only a while after they were answered ("late").
 *
 * It sees the C library's calls only. image.rs compares what was noted with what is on disk, so a
 * call that came by another way is found out. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum op { CREATE = 1, WRITE, LENGTH, RENAME, LINK, REMOVE, MKDIR, SYNC, SYNC_DIR, RANGE, UNSYNCED };
enum kind { CHANGE = 1, READ = 2 };

struct control {
    uint64_t calls; /* made so far, of the kinds that are counted */
    uint64_t fails; /* the call that fails; 0 for none */
    uint64_t error; /* with which errno */
    uint64_t kinds; /* which are counted: a sum of `enum kind` */
};

struct note {
    uint32_t op, from_len, to_len, zero;
    uint64_t inode, at, bytes;
};

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char below[PATH_MAX];
static size_t below_len;
static int out = -1;
static struct control *control;
static int no_file, no_directory, late;

/* Syncs that are answered and not noted yet. */
enum { LATE = 24, WAITING = 64 };
static struct { struct note note; char path[PATH_MAX]; int left; } waiting[WAITING];

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_openat)(int, const char *, int, ...);

__attribute__((constructor)) static void start(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_openat = dlsym(RTLD_NEXT, "openat64");
    const char *path = getenv("INTERDOCKET_SHIM_BELOW"), *log = getenv("INTERDOCKET_SHIM_LOG");
    const char *shared = getenv("INTERDOCKET_SHIM_CONTROL"), *bug = getenv("INTERDOCKET_SHIM_BUG");
    if (!path || !realpath(path, below)) return;
    below_len = strlen(below);
    if (log) out = real_openat(AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (shared) {
        int file = real_openat(AT_FDCWD, shared, O_RDWR | O_CLOEXEC);
        control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (control == MAP_FAILED) abort();
        close(file);
    }
    no_file = bug && !strcmp(bug, "file");
    no_directory = bug && !strcmp(bug, "directory");
    late = bug && !strcmp(bug, "late");
}

/* ---- where a call goes */

/* The part of a path below the folder; NULL where it lies elsewhere. */
static const char *inner(const char *path) {
    if (!below_len || strncmp(path, below, below_len)) return NULL;
    return path[below_len] == '/' ? path + below_len + 1 : path[below_len] ? NULL : "";
}

static const char *of_fd(int fd, char *full) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, full, PATH_MAX - 1);
    if (len < 0) return NULL;
    full[len] = 0;
    return inner(full);
}

static const char *of_path(int dir, const char *path, char *full) {
    char at[PATH_MAX];
    if (!below_len || !path) return NULL;
    if (path[0] == '/') {
        if (snprintf(full, PATH_MAX, "%s", path) >= PATH_MAX) return NULL;
    } else {
        if (dir == AT_FDCWD || !of_fd(dir, at)) return NULL; /* tests give whole paths */
        if (snprintf(full, PATH_MAX, "%s/%s", at, path) >= PATH_MAX) return NULL;
    }
    size_t len = strlen(full);
    while (len > 1 && full[len - 1] == '/') full[--len] = 0;
    return inner(full);
}

static int regular(int fd, struct stat *found) {
    char full[PATH_MAX];
    /* What the first three lead to is the test's own. */
    return below_len && fd > STDERR_FILENO && !fstat(fd, found) && S_ISREG(found->st_mode) && of_fd(fd, full);
}

/* ---- what is noted */

static void put(const struct note *note, const char *from, const char *to, const void *data) {
    struct iovec parts[4] = {
        {(void *)note, sizeof *note}, {(void *)from, note->from_len}, {(void *)to, note->to_len},
        {(void *)data, note->op == WRITE ? note->bytes : 0}};
    ssize_t all = 0;
    for (int part = 0; part < 4; part++) all += parts[part].iov_len;
    if (out >= 0 && real_writev(out, parts, 4) != all) abort();
}

static void note(enum op op, struct note note, const char *from, const char *to, const void *data) {
    note.op = op;
    note.from_len = from ? strlen(from) : 0;
    note.to_len = to ? strlen(to) : 0;
    for (int i = 0; i < WAITING; i++)
        if (waiting[i].left && !--waiting[i].left) put(&waiting[i].note, waiting[i].path, NULL, NULL);
    if (late && (op == SYNC || op == SYNC_DIR))
        for (int i = 0; i < WAITING; i++)
            if (!waiting[i].left) {
                waiting[i].left = LATE;
                waiting[i].note = note;
                snprintf(waiting[i].path, PATH_MAX, "%s", from ? from : "");
                return;
            }
    put(&note, from, to, data);
}

/* Counts a call; gives whether it is the one that fails. */
static int fails(enum kind kind) {
    if (!control || !(control->kinds & kind) || ++control->calls != control->fails) return 0;
    errno = control->error;
    return 1;
}

/* ---- files */

static int open_at(int dir, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    const char *name = of_path(dir, path, full);
    if (!name) return real_openat(dir, path, flags, mode);
    pthread_mutex_lock(&turn);
    struct stat found;
    int there = !fstatat(dir, path, &found, 0), fd = -1;
    int changes = flags & (O_CREAT | O_TRUNC);
    if (!fails(changes ? CHANGE : READ)) {
        fd = real_openat(dir, path, flags, mode);
        if (fd >= 0 && !there && flags & O_CREAT && !fstat(fd, &found))
            note(CREATE, (struct note){.inode = found.st_ino}, name, NULL, NULL);
        else if (fd >= 0 && flags & O_TRUNC)
            note(LENGTH, (struct note){.inode = found.st_ino}, NULL, NULL, NULL);
    }
    pthread_mutex_unlock(&turn);
    return fd;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list list; va_start(list, last); mode = va_arg(list, mode_t); va_end(list); }
int open(const char *path, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags, flags) return open_at(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags, flags) return open_at(dir, path, flags, mode); }

/* Writes at a place, or where the file stands for -1. One that fails leaves half of its bytes. */
static ssize_t write_at(int fd, const void *data, size_t bytes, off_t at) {
    struct stat found;
    if (fd == out || !regular(fd, &found))
        return at < 0 ? real_write(fd, data, bytes) : real_pwrite(fd, data, bytes, at);
    pthread_mutex_lock(&turn);
    fstat(fd, &found); /* how long it is in its turn */
    off_t place = at >= 0 ? at : fcntl(fd, F_GETFL) & O_APPEND ? found.st_size : lseek(fd, 0, SEEK_CUR);
    int failed = fails(CHANGE), error = errno;
    if (failed) bytes /= 2;
    ssize_t done = at < 0 ? real_write(fd, data, bytes) : real_pwrite(fd, data, bytes, at);
    if (done > 0) note(WRITE, (struct note){.inode = found.st_ino, .at = place, .bytes = done}, NULL, NULL, data);
    if (failed) errno = error;
    pthread_mutex_unlock(&turn);
    return failed ? -1 : done;
}

ssize_t write(int fd, const void *data, size_t bytes) { return write_at(fd, data, bytes, -1); }
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at) { return write_at(fd, data, bytes, at); }
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at) { return write_at(fd, data, bytes, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct stat found;
    if (!regular(fd, &found)) return real_writev(fd, parts, count);
    for (int part = 0; part < count; part++)
        if (parts[part].iov_len) return write_at(fd, parts[part].iov_base, parts[part].iov_len, -1);
    return 0;
}

int ftruncate64(int fd, off64_t len) {
    static int (*real)(int, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "ftruncate64");
    struct stat found;
    if (!regular(fd, &found)) return real(fd, len);
    pthread_mutex_lock(&turn);
    int done = fails(CHANGE) ? -1 : real(fd, len);
    if (!done) note(LENGTH, (struct note){.inode = found.st_ino, .at = len}, NULL, NULL, NULL);
    pthread_mutex_unlock(&turn);
    return done;
}
int ftruncate(int fd, off_t len) { return ftruncate64(fd, len); }

/* A hole holds zeros, and is noted as these. */
int fallocate64(int fd, int mode, off64_t at, off64_t bytes) {
    static int (*real)(int, int, off64_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "fallocate64");
    struct stat found;
    if (!regular(fd, &found)) return real(fd, mode, at, bytes);
    if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) abort(); /* nothing else is noted */
    void *zeros = calloc(1, bytes);
    if (!zeros) abort();
    pthread_mutex_lock(&turn);
    int done = fails(CHANGE) ? -1 : real(fd, mode, at, bytes), error = errno;
    if (!done) note(WRITE, (struct note){.inode = found.st_ino, .at = at, .bytes = bytes}, NULL, NULL, zeros);
    pthread_mutex_unlock(&turn);
    free(zeros);
    errno = error;
    return done;
}
int fallocate(int fd, int mode, off_t at, off_t bytes) { return fallocate64(fd, mode, at, bytes); }

/* ---- making durable */

static int sync_fd(int fd) {
    struct stat found;
    char full[PATH_MAX];
    const char *name = of_fd(fd, full);
    if (!name || fstat(fd, &found)) return 0; /* elsewhere: nothing of ours */
    pthread_mutex_lock(&turn);
    int directory = S_ISDIR(found.st_mode), failed = fails(CHANGE), error = errno;
    struct note of = {.inode = found.st_ino};
    if (failed) note(UNSYNCED, of, NULL, NULL, NULL);
    else if (directory && !no_directory) note(SYNC_DIR, of, NULL, NULL, NULL);
    else if (!directory && !no_file) note(SYNC, of, NULL, NULL, NULL);
    if (failed) errno = error;
    pthread_mutex_unlock(&turn);
    return failed ? -1 : 0;
}
int fsync(int fd) { return sync_fd(fd); }
int fdatasync(int fd) { return sync_fd(fd); }

/* Neither commits a file's size nor flushes the disk: it makes nothing durable. */
int sync_file_range(int fd, off64_t at, off64_t bytes, unsigned flags) {
    (void)at, (void)bytes, (void)flags;
    struct stat found;
    if (!regular(fd, &found)) return 0;
    pthread_mutex_lock(&turn);
    int failed = fails(CHANGE);
    if (!failed) note(RANGE, (struct note){.inode = found.st_ino}, NULL, NULL, NULL);
    pthread_mutex_unlock(&turn);
    return failed ? -1 : 0;
}

/* ---- names */

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    static int (*real)(int, const char *, int, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "renameat");
    char one[PATH_MAX], other[PATH_MAX];
    const char *old = of_path(from_dir, from, one), *fresh = of_path(to_dir, to, other);
    if (!old || !fresh) return real(from_dir, from, to_dir, to);
    pthread_mutex_lock(&turn);
    int done = fails(CHANGE) ? -1 : real(from_dir, from, to_dir, to);
    if (!done) note(RENAME, (struct note){0}, old, fresh, NULL);
    pthread_mutex_unlock(&turn);
    return done;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    static int (*real)(int, const char *, int, const char *, int);
    if (!real) real = dlsym(RTLD_NEXT, "linkat");
    char one[PATH_MAX], other[PATH_MAX];
    const char *old = of_path(from_dir, from, one), *fresh = of_path(to_dir, to, other);
    if (!old || !fresh) return real(from_dir, from, to_dir, to, flags);
    pthread_mutex_lock(&turn);
    int done = fails(CHANGE) ? -1 : real(from_dir, from, to_dir, to, flags);
    if (!done) note(LINK, (struct note){0}, old, fresh, NULL);
    pthread_mutex_unlock(&turn);
    return done;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int dir, const char *path, int flags) {
    static int (*real)(int, const char *, int);
    if (!real) real = dlsym(RTLD_NEXT, "unlinkat");
    char full[PATH_MAX];
    const char *name = of_path(dir, path, full);
    if (!name) return real(dir, path, flags);
    pthread_mutex_lock(&turn);
    int done = fails(CHANGE) ? -1 : real(dir, path, flags);
    if (!done) note(REMOVE, (struct note){0}, name, NULL, NULL);
    pthread_mutex_unlock(&turn);
    return done;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int dir, const char *path, mode_t mode) {
    static int (*real)(int, const char *, mode_t);
    if (!real) real = dlsym(RTLD_NEXT, "mkdirat");
    char full[PATH_MAX];
    const char *name = of_path(dir, path, full);
    if (!name) return real(dir, path, mode);
    pthread_mutex_lock(&turn);
    int done = fails(CHANGE) ? -1 : real(dir, path, mode);
    struct stat found;
    if (!done && !fstatat(dir, path, &found, 0))
        note(MKDIR, (struct note){.inode = found.st_ino}, name, NULL, NULL);
    pthread_mutex_unlock(&turn);
    return done;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* ---- reading */

ssize_t read(int fd, void *data, size_t bytes) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "read");
    struct stat found;
    if (!control || !(control->kinds & READ) || !regular(fd, &found)) return real(fd, data, bytes);
    pthread_mutex_lock(&turn);
    ssize_t done = fails(READ) ? -1 : real(fd, data, bytes);
    pthread_mutex_unlock(&turn);
    return done;
}

ssize_t pread64(int fd, void *data, size_t bytes, off64_t at) {
    static ssize_t (*real)(int, void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pread64");
    struct stat found;
    if (!control || !(control->kinds & READ) || !regular(fd, &found)) return real(fd, data, bytes, at);
    pthread_mutex_lock(&turn);
    ssize_t done = fails(READ) ? -1 : real(fd, data, bytes, at);
    pthread_mutex_unlock(&turn);
    return done;
}
ssize_t pread(int fd, void *data, size_t bytes, off_t at) { return pread64(fd, data, bytes, at); }
