/* A model server that costs nothing: the upstream of tools/bench_gateway.py.
 *
 *   upstream PORT FRAMES INTERVAL_US     (port 0: the system chooses; the port is printed)
 *
 * One thread, one epoll. A POST is answered at once with a chat completion; one that asks for a stream gets FRAMES
 * frames, one every INTERVAL_US, the first at once. Each frame carries its number and the nanosecond at which it was
 * written, so that whoever receives it can tell losses, disorder and delay. Everything else gets 200 and a list.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

enum { CONNECTIONS = 65536, READ = 1 << 16, EVENTS = 512 };

struct connection {
    char *in;
    size_t held, room;
    int streaming, frame, with_usage;
    uint32_t life; /* tells a file descriptor that was used again from the one a timer was set for */
};

struct due {
    int64_t at_ns;
    int fd;
    uint32_t life;
};

static struct connection connections[CONNECTIONS];
static struct due *dues; /* one interval for all, so the order of entry is the order of time: a ring */
static size_t due_first, due_count, due_room = 1 << 20;
static int frames, timer_fd, poll_fd;
static int64_t interval_ns;

static const char ANSWER[] =
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"bench-model\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The quick brown fox jumps over the "
    "lazy dog, again and again, until the evening comes.\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":18,\"total_tokens\":42}}";
static const char MODELS[] = "{\"object\":\"list\",\"data\":[{\"id\":\"bench-model\",\"object\":\"model\"}]}";

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void set_timer(void) {
    struct itimerspec when = {0};
    if (due_count) {
        int64_t at = dues[due_first].at_ns;
        when.it_value.tv_sec = at / 1000000000LL;
        when.it_value.tv_nsec = at % 1000000000LL;
    }
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void drop(int fd) {
    free(connections[fd].in);
    uint32_t life = connections[fd].life + 1;
    memset(&connections[fd], 0, sizeof connections[fd]);
    connections[fd].life = life;
    close(fd);
}

/* Everything here is far smaller than a socket's buffer; a reader that is that far behind is dropped, and missed. */
static int put(int fd, const char *text, size_t size) {
    if (write(fd, text, size) == (ssize_t)size) return 1;
    drop(fd);
    return 0;
}

static int answer(int fd, const char *body, size_t size) {
    char out[2048];
    int n = snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
                     size, body);
    return put(fd, out, n);
}

static size_t chunk(char *out, size_t room, const char *body) {
    return snprintf(out, room, "%zx\r\n%s\r\n", strlen(body), body);
}

static int send_frame(int fd) {
    struct connection *c = &connections[fd];
    char body[1024], out[4096];
    size_t n = 0;
    const char *head = "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
                       "\"model\":\"bench-model\",";
    snprintf(body, sizeof body,
             "data: %s\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"%06d %019lld \"},\"finish_reason\":null}]}\n\n",
             head, c->frame ? "" : "\"role\":\"assistant\",", c->frame, (long long)now_ns());
    c->frame++;
    n += chunk(out, sizeof out, body);
    if (c->frame == frames) {
        snprintf(body, sizeof body, "data: %s\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", head);
        n += chunk(out + n, sizeof out - n, body);
        if (c->with_usage) {
            snprintf(body, sizeof body,
                     "data: %s\"choices\":[],\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":%d,"
                     "\"total_tokens\":%d}}\n\n", head, frames, 24 + frames);
            n += chunk(out + n, sizeof out - n, body);
        }
        n += chunk(out + n, sizeof out - n, "data: [DONE]\n\n");
        n += snprintf(out + n, sizeof out - n, "0\r\n\r\n");
        c->streaming = 0;
    }
    return put(fd, out, n);
}

static void later(int fd, int64_t at_ns) {
    if (due_count == due_room) return; /* a million streams: nobody asks for that */
    dues[(due_first + due_count++) % due_room] = (struct due){at_ns, fd, connections[fd].life};
    if (due_count == 1) set_timer();
}

static int begin_stream(int fd) {
    static const char HEAD[] =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    connections[fd].streaming = 1;
    connections[fd].frame = 0;
    if (!put(fd, HEAD, sizeof HEAD - 1)) return 0;
    int64_t began = now_ns();
    if (!send_frame(fd)) return 0;
    if (connections[fd].streaming) later(fd, began + interval_ns);
    return 1;
}

/* Answers every whole request that is held; what is left moves to the front. */
static int serve(int fd) {
    struct connection *c = &connections[fd];
    for (;;) {
        c->in[c->held] = 0;
        char *end = strstr(c->in, "\r\n\r\n");
        if (!end) return 1;
        char *length = strcasestr(c->in, "\r\ncontent-length:");
        size_t size = length && length < end ? strtoul(length + 17, NULL, 10) : 0, head = end + 4 - c->in;
        if (c->held < head + size) return 1;
        char kept = c->in[head + size];
        c->in[head + size] = 0;
        int post = !strncmp(c->in, "POST", 4);
        char *stream = post ? strstr(end, "\"stream\":") : NULL;
        int streamed = stream && strstr(stream, "true") && strstr(stream, "true") - stream < 12;
        c->with_usage = post && strstr(end, "include_usage") != NULL;
        c->in[head + size] = kept;
        memmove(c->in, c->in + head + size, c->held -= head + size);
        if (!(streamed ? begin_stream(fd) : post ? answer(fd, ANSWER, sizeof ANSWER - 1) : answer(fd, MODELS, sizeof MODELS - 1)))
            return 0;
    }
}

static void readable(int fd) {
    struct connection *c = &connections[fd];
    for (;;) {
        if (c->room - c->held < READ + 1 && !(c->in = realloc(c->in, c->room = c->held + READ * 2))) exit(1);
        ssize_t n = read(fd, c->in + c->held, READ);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            drop(fd);
            return;
        }
        c->held += n;
        if (!serve(fd) || n < READ) return;
    }
}

static void timer(void) {
    uint64_t times;
    (void)!read(timer_fd, &times, sizeof times);
    int64_t now = now_ns();
    while (due_count && dues[due_first].at_ns <= now) {
        struct due d = dues[due_first];
        due_first = (due_first + 1) % due_room;
        due_count--;
        struct connection *c = &connections[d.fd];
        if (c->life == d.life && c->streaming && send_frame(d.fd) && c->streaming) later(d.fd, d.at_ns + interval_ns);
    }
    set_timer();
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "upstream PORT FRAMES INTERVAL_US\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    frames = atoi(argv[2]);
    interval_ns = atoll(argv[3]) * 1000;
    dues = malloc(due_room * sizeof *dues);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    if (bind(listener, (struct sockaddr *)&at, size) || listen(listener, 4096)) return perror("upstream"), 1;
    getsockname(listener, (struct sockaddr *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    poll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, happened[EVENTS];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &e);
    e.data.fd = timer_fd;
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer_fd, &e);
    for (;;) {
        int n = epoll_wait(poll_fd, happened, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = happened[i].data.fd;
            if (fd == timer_fd) timer();
            else if (fd != listener) readable(fd);
            else
                for (int new; (new = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    if (new >= CONNECTIONS) {
                        close(new);
                        continue;
                    }
                    setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    e = (struct epoll_event){.events = EPOLLIN, .data.fd = new};
                    epoll_ctl(poll_fd, EPOLL_CTL_ADD, new, &e);
                }
        }
    }
}
