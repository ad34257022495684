/* Counts the file operations of a process, and kills it or fails one of them: SQLite's way of testing, for everything
   that goes through the C library. Preloaded; armed by fault_arm(n, mode), where n counts from 1 and mode is 0 to kill,
   1 to fail the nth operation with ENOSPC, 2 to fail it and all that follow. n = 0 only counts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long wanted = -1, seen = 0;
static int how = 0;

void fault_arm(long n, int mode) { seen = 0; how = mode; wanted = n; }
long fault_seen(void) { return seen; }

static int hit(void) {
    if (wanted < 0) return 0;
    long now = __sync_add_and_fetch(&seen, 1);
    if (wanted == 0 || (how == 2 ? now < wanted : now != wanted)) return 0;
    if (how == 0) { kill(getpid(), SIGKILL); for (;;) pause(); }
    errno = ENOSPC;
    return 1;
}

static int on_disk(int fd) {
    struct stat state;
    int before = errno, found = fstat(fd, &state) == 0 && S_ISREG(state.st_mode);
    errno = before;
    return found;
}

#define NEXT(name) static __typeof__(name) *next; if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) { NEXT(write); return on_disk(fd) && hit() ? -1 : next(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { NEXT(pwrite); return hit() ? -1 : next(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { NEXT(pwrite64); return hit() ? -1 : next(fd, data, size, at); }
int fsync(int fd) { NEXT(fsync); return hit() ? -1 : next(fd); }
int fdatasync(int fd) { NEXT(fdatasync); return hit() ? -1 : next(fd); }
int ftruncate(int fd, off_t size) { NEXT(ftruncate); return hit() ? -1 : next(fd, size); }
int ftruncate64(int fd, off64_t size) { NEXT(ftruncate64); return hit() ? -1 : next(fd, size); }
int rename(const char *from, const char *to) { NEXT(rename); return hit() ? -1 : next(from, to); }
int unlink(const char *path) { NEXT(unlink); return hit() ? -1 : next(path); }
int unlinkat(int fd, const char *path, int flags) { NEXT(unlinkat); return hit() ? -1 : next(fd, path, flags); }
int mkdir(const char *path, mode_t mode) { NEXT(mkdir); return hit() ? -1 : next(path, mode); }
int rmdir(const char *path) { NEXT(rmdir); return hit() ? -1 : next(path); }

int open64(const char *path, int flags, ...) {
    NEXT(open64);
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
    return (flags & O_CREAT) && hit() ? -1 : next(path, flags, mode);
}
