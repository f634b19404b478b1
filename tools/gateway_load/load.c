/* Load that does not wait for answers, and streams that are checked frame by frame: for tools/bench_gateway.py.
 *
 *   load open    PORT REQUEST CONNECTIONS RATE SECONDS      requests at random moments (Poisson), RATE a second
 *   load streams PORT REQUEST CONNECTIONS SPREAD_S FRAMES   CONNECTIONS streams, started over SPREAD_S seconds
 *
 * REQUEST is a file with one whole HTTP request. A time counts from the moment at which the request was due, whether or
 * not a connection was free then; so a server that falls behind cannot slow the load down. The result is one line of
 * JSON. Streams: every frame of upstream.c carries its number and the nanosecond at which it was written.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { READ = 1 << 16, EVENTS = 512, LINE = 8192, GRACE_S = 10 };
enum body { HEADERS, SIZED, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct connection {
    int fd, busy, status, frame, finished;
    enum body state;
    int64_t due_ns, left, chunk;
    size_t head; /* bytes of the header, or of the line of a frame, that are held */
    char line[LINE];
};

static struct connection *all;
static int *idle, idle_count, count, poll_fd, streams, frames, in_stream, most_in_stream;
static double *times_ms, *first_ms;
static size_t times, firsts, room;
static long sent, done, failed, refused, lost, disordered, received;
static char *request;
static size_t request_size;
static struct sockaddr_in at = {.sin_family = AF_INET};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void keep(double **list, size_t *n, double ms) {
    if (*n < room) (*list)[(*n)++] = ms;
}

static int dial(struct connection *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&at, sizeof at)) return 0;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    return !epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e);
}

static void start(struct connection *c, int64_t due_ns) {
    c->busy = 1;
    c->state = HEADERS;
    c->due_ns = due_ns;
    c->head = 0;
    c->status = c->frame = c->finished = 0;
    sent++;
    if (streams && ++in_stream > most_in_stream) most_in_stream = in_stream;
    if (write(c->fd, request, request_size) != (ssize_t)request_size) c->status = -1;
}

static void end(struct connection *c, int good) {
    c->busy = 0;
    good = good && c->status == 200;
    if (good) done++;
    else if (c->status > 0 && c->status != 200) refused++;
    else failed++;
    if (streams) {
        in_stream--;
        lost += frames - c->frame + (c->finished ? 0 : 1);
    } else if (good)
        keep(&times_ms, &times, (now_ns() - c->due_ns) / 1e6);
    if (!streams) idle[idle_count++] = c - all;
}

static void hung_up(struct connection *c) {
    close(c->fd);
    if (c->busy) end(c, 0);
    if (!streams && !dial(c)) c->status = -1;
}

/* One line of a stream: a frame's number and age, or the end. */
static void line_of_stream(struct connection *c) {
    c->line[c->head] = 0;
    if (!strncmp(c->line, "data: [DONE]", 12)) c->finished = 1;
    char *content = strstr(c->line, "\"content\":");
    if (!content) return;
    content = strchr(content + 10, '"');
    long long number, written_ns;
    if (!content || sscanf(content + 1, "%lld %lld", &number, &written_ns) != 2) return;
    double ms = (now_ns() - written_ns) / 1e6;
    received++;
    if (number != c->frame) disordered++;
    if (!c->frame) keep(&first_ms, &firsts, ms);
    keep(&times_ms, &times, ms);
    c->frame++;
}

static void of_body(struct connection *c, const char *bytes, size_t n) {
    if (!streams) return;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != '\n') {
            if (c->head < LINE - 1) c->line[c->head++] = bytes[i];
        } else {
            line_of_stream(c);
            c->head = 0;
        }
    }
}

static void headers_end(struct connection *c) {
    c->line[c->head] = 0;
    c->status = atoi(c->line + 9);
    char *length = strcasestr(c->line, "\r\ncontent-length:");
    c->left = length ? atoll(length + 17) : 0;
    c->state = strcasestr(c->line, "\r\ntransfer-encoding:") ? CHUNK_SIZE : SIZED;
    c->head = c->chunk = 0;
    if (c->state == SIZED && !c->left) end(c, 1);
}

static int hex(char b) { return b <= '9' ? b - '0' : (b | 32) - 'a' + 10; }

static void arrived(struct connection *c, const char *bytes, size_t n) {
    for (size_t i = 0; i < n && c->busy;) {
        char b = bytes[i];
        if (c->state == HEADERS) {
            if (c->head < LINE - 1) c->line[c->head++] = b;
            i++;
            if (c->head >= 4 && !memcmp(c->line + c->head - 4, "\r\n\r\n", 4)) headers_end(c);
        } else if (c->state == SIZED || c->state == CHUNK) {
            size_t take = n - i < (size_t)c->left ? n - i : (size_t)c->left;
            of_body(c, bytes + i, take);
            i += take;
            if (!(c->left -= take)) {
                if (c->state == SIZED) end(c, 1);
                else c->state = CHUNK_END;
            }
        } else if (c->state == CHUNK_END) {
            i++;
            if (b == '\n') c->state = CHUNK_SIZE, c->chunk = 0;
        } else if (c->state == CHUNK_SIZE) {
            i++;
            if (b == '\n') {
                c->left = c->chunk;
                c->state = c->chunk ? CHUNK : TRAILER;
            } else if (b != '\r')
                c->chunk = c->chunk * 16 + hex(b);
        } else { /* TRAILER: the empty line after the last chunk */
            i++;
            if (b == '\n') end(c, 1);
        }
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *list, size_t n, double q) {
    return n ? list[(size_t)fmin(n - 1, floor(q * n))] : NAN;
}

static void told(const char *name, double *list, size_t n) {
    qsort(list, n, sizeof *list, by_size);
    printf("\"%s\":", name);
    if (!n) printf("null,");
    else
        printf("{\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"max\":%.4f},", quantile(list, n, .5), quantile(list, n, .9),
               quantile(list, n, .99), list[n - 1]);
}

static void tell(double took_s, int64_t behind) {
    printf("{");
    told("ms", times_ms, times);
    told("first_ms", first_ms, firsts);
    printf("\"sent\":%ld,\"done\":%ld,\"failed\":%ld,\"refused\":%ld,\"unfinished\":%ld,\"frames\":%ld,\"lost\":%ld,"
           "\"disordered\":%ld,\"at_once\":%d,\"waiting\":%lld,\"seconds\":%.3f}\n",
           sent, done, failed, refused, sent - done - failed - refused, received, lost, disordered, most_in_stream,
           (long long)behind, took_s);
}

int main(int argc, char **argv) {
    if (argc != 7) return fprintf(stderr, "load open|streams PORT REQUEST CONNECTIONS RATE|SPREAD_S SECONDS|FRAMES\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    streams = !strcmp(argv[1], "streams");
    at.sin_port = htons(atoi(argv[2]));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    FILE *file = fopen(argv[3], "rb");
    if (!file) return perror(argv[3]), 1;
    request = malloc(1 << 20);
    request_size = fread(request, 1, 1 << 20, file);
    count = atoi(argv[4]);
    double given = atof(argv[5]), last = atof(argv[6]);
    double rate = streams ? count / given : given, seconds = streams ? given : last;
    frames = streams ? (int)last : 0;
    room = streams ? (size_t)count * (frames + 2) : (size_t)(rate * seconds * 1.5) + 1000;
    times_ms = malloc(room * sizeof *times_ms);
    first_ms = malloc(room * sizeof *first_ms);
    all = calloc(count, sizeof *all);
    idle = malloc(count * sizeof *idle);
    poll_fd = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        if (!dial(&all[i])) return perror("load: connect"), 1;
        idle[idle_count++] = count - 1 - i;
    }
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, happened[EVENTS];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &e);
    srand48(1); /* the same moments in every run */
    int64_t began = now_ns(), next = began + 1000000, until = began + (int64_t)(seconds * 1e9), quiet = began;
    long due = 0, wanted = streams ? count : -1;
    static char bytes[READ];
    for (;;) {
        int64_t now = now_ns();
        while (idle_count && next <= now && (streams ? due < wanted : next < until)) {
            start(&all[idle[--idle_count]], next);
            due++;
            next += (int64_t)(streams ? 1e9 / rate : -log(1 - drand48()) / rate * 1e9);
        }
        int more = streams ? due < wanted : next < until;
        long open = sent - done - failed - refused;
        if ((!more && !open) || now - quiet > GRACE_S * 1000000000LL || (!streams && now > until + GRACE_S * 1000000000LL))
            break;
        struct itimerspec when = {0};
        int64_t wake = more && idle_count ? next : now + 1000000000LL;
        when.it_value.tv_sec = wake / 1000000000LL;
        when.it_value.tv_nsec = wake % 1000000000LL;
        timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
        int n = epoll_wait(poll_fd, happened, EVENTS, 1000);
        for (int i = 0; i < n; i++) {
            struct connection *c = happened[i].data.ptr;
            if (!c) {
                uint64_t ticks;
                (void)!read(timer_fd, &ticks, sizeof ticks);
                continue;
            }
            ssize_t got = read(c->fd, bytes, READ);
            quiet = now;
            if (got <= 0) hung_up(c);
            else arrived(c, bytes, got);
        }
    }
    int64_t behind = streams ? wanted - due : (int64_t)((until - next) / 1e9 * rate);
    for (int i = 0; streams && i < count; i++)
        if (all[i].busy) lost += frames - all[i].frame;
    tell((now_ns() - began) / 1e9, behind > 0 ? behind : 0);
    return 0;
}
