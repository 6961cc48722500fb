/* Breaks the disk, the clock and the lines of one process, by LD_PRELOAD.
 *
 * FAULT_SHIM names a folder. In it, each role has a control page, `ROLE.page`, that a test writes and the process
 * reads at every call; FAULT_ROLE says which role the process has, or else its command line does. `ROLE.lines` says
 * which addresses are reached by another: lines of "from to", each a TCP port of this machine or the name of a unix
 * socket ("to" with its whole path). `synced.INODE` holds the length that a file had when it was last synced.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct page {
    volatile int64_t clock_offset_ns;
    volatile int32_t disk_is_full;
};

#define MOST_LINES 32
struct line {
    char from[108], to[108];
};

static const struct page healthy;
static const struct page *page = &healthy;
static struct line lines[MOST_LINES];
static int line_count;
static char folder[256]; /* a copy: servers write their titles over the environment */

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* --- Who this process is ---------------------------------------------------------------------------------------- */

static const char *find_role(int argc, char **argv) {
    const char *given = getenv("FAULT_ROLE");
    if (given) return given;
    int is_valkey = argc > 0 && strstr(argv[0], "valkey-server") != NULL;
    for (int i = 1; i < argc; i++) {
        if (is_valkey && strstr(argv[i], "log.sock")) return "log";
        if (is_valkey && strstr(argv[i], "cache.sock")) return "cache";
        if (is_valkey) continue;
        for (const char *const *word = (const char *const[]){"gateway", "relay", "worker", "beat", NULL}; *word; word++)
            if (strcmp(argv[i], *word) == 0) return *word;
    }
    return NULL;
}

static void read_lines(const char *role) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s.lines", folder, role);
    FILE *file = fopen(path, "re");
    if (!file) return;
    while (line_count < MOST_LINES && fscanf(file, "%107s %107s", lines[line_count].from, lines[line_count].to) == 2)
        line_count++;
    fclose(file);
}

__attribute__((constructor)) static void begin(int argc, char **argv) {
    const char *given = getenv("FAULT_SHIM");
    const char *role = given ? find_role(argc, argv) : NULL;
    if (!role || strlen(given) >= sizeof folder) return;
    strcpy(folder, given);
    char path[512];
    snprintf(path, sizeof path, "%s/%s.page", folder, role);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof(struct page), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) page = mapped;
    read_lines(role);
}

/* --- The disk ----------------------------------------------------------------------------------------------------- */

static int has_no_room(int fd) {
    struct stat status;
    if (!page->disk_is_full || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    errno = ENOSPC;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    return has_no_room(fd) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    REAL(pwrite);
    return has_no_room(fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    return has_no_room(fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    return has_no_room(fd) ? -1 : real(fd, parts, count);
}

/* Records the length from before the sync began: what was written meanwhile may not be on the disk. */
static int sync_and_record(int fd, int (*sync)(int)) {
    struct stat status;
    int is_file = page != &healthy && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (sync(fd) != 0) return -1;
    if (is_file) {
        int saved = errno;
        char path[512], text[32];
        snprintf(path, sizeof path, "%s/synced.%llu", folder, (unsigned long long)status.st_ino);
        int length = snprintf(text, sizeof text, "%-20lld", (long long)status.st_size);
        int record = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (record >= 0) (void)fchmod(record, 0666); /* the next file of this inode may be another user's */
        REAL(write);
        if (record < 0 || real(record, text, (size_t)length) != length) abort();
        close(record);
        errno = saved;
    }
    return 0;
}

int fsync(int fd) {
    REAL(fsync);
    if (has_no_room(fd)) return -1;
    return sync_and_record(fd, real);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    if (has_no_room(fd)) return -1;
    return sync_and_record(fd, real);
}

/* --- The clock ---------------------------------------------------------------------------------------------------- */

static int64_t shifted_ns(const struct timespec *now) {
    return (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + page->clock_offset_ns;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int failed = real(clock, now);
    if (!failed && page->clock_offset_ns && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = shifted_ns(now);
        now->tv_sec = ns / 1000000000;
        now->tv_nsec = ns % 1000000000;
    }
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    REAL(gettimeofday);
    int failed = real(now, zone);
    if (!failed && page->clock_offset_ns) {
        int64_t us = (int64_t)now->tv_sec * 1000000 + now->tv_usec + page->clock_offset_ns / 1000;
        now->tv_sec = us / 1000000;
        now->tv_usec = us % 1000000;
    }
    return failed;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}

/* --- The lines ---------------------------------------------------------------------------------------------------- */

static const char *find_way(const char *from) {
    for (int i = 0; i < line_count; i++)
        if (strcmp(lines[i].from, from) == 0) return lines[i].to;
    return NULL;
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    REAL(connect);
    if (line_count && address->sa_family == AF_UNIX) {
        const struct sockaddr_un *asked = (const struct sockaddr_un *)address;
        const char *name = strrchr(asked->sun_path, '/');
        const char *way = find_way(name ? name + 1 : asked->sun_path);
        if (way) {
            struct sockaddr_un other = {.sun_family = AF_UNIX};
            strcpy(other.sun_path, way);
            return real(fd, (const struct sockaddr *)&other, sizeof other);
        }
    }
    if (line_count && address->sa_family == AF_INET) {
        struct sockaddr_in other = *(const struct sockaddr_in *)address;
        char port[8];
        snprintf(port, sizeof port, "%d", ntohs(other.sin_port));
        const char *way = other.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? find_way(port) : NULL;
        if (way) {
            other.sin_port = htons((uint16_t)atoi(way));
            return real(fd, (const struct sockaddr *)&other, sizeof other);
        }
    }
    return real(fd, address, length);
}
