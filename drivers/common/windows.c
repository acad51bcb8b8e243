/*
 * What platform.h promises, for Windows, and of file.h and host.h what a client needs there. Made for mingw-w64, whose winpthreads has
 * the threads and the clocks; needs ws2_32 (sockets).
 *
 * Paths are UTF-8 here as everywhere in virt. The path of a URI begins with a slash, so that a drive stands behind one: in
 * test:///C:/hosts/one.xml the path is "/C:/hosts/one.xml", which is taken for "C:/hosts/one.xml".
 */
#include "platform.h"

#ifdef _WIN32

#include "file.h"
#include "host.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <sys/stat.h>
#include <windows.h>
#include <ntsecapi.h>
#undef interface

#define VIRT_FROM VIR_FROM_NONE

VIRT_INTERNAL int
virPlatformRandom(void *data, size_t size)
{
    if (RtlGenRandom(data, (ULONG)size))
        return 0;
    errno = EIO;
    return -1;
}

VIRT_INTERNAL const char *
virPlatformErrorText(int errnum, char *text, size_t size)
{
    return strerror_s(text, size, errnum) == 0 ? text : "unknown error";
}

VIRT_INTERNAL char *
virPlatformAskHidden(const char *prompt, char *line, size_t size)
{
    HANDLE console = GetStdHandle(STD_INPUT_HANDLE);
    DWORD mode;
    char *text;

    if (!GetConsoleMode(console, &mode))
        return NULL;
    fprintf(stderr, "%s", prompt);
    SetConsoleMode(console, mode & ~(DWORD)ENABLE_ECHO_INPUT);
    text = fgets(line, (int)size, stdin);
    SetConsoleMode(console, mode);
    fputc('\n', stderr);
    return text;
}

VIRT_INTERNAL void
virPlatformErase(void *data, size_t size)
{
    SecureZeroMemory(data, size);
}

/* ---------- waiting ---------- */

VIRT_INTERNAL void
virPlatformCondInit(pthread_cond_t *cond)
{
    pthread_cond_init(cond, NULL);
}

/* winpthreads knows no clock here but the one on the wall, which may be set; so the time left is what it gets. */
VIRT_INTERNAL int
virPlatformCondWait(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned long long end)
{
    unsigned long long now = virTimeNowUs(), left = end > now ? end - now : 0;
    struct timespec span = { .tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000 };

    if (end == 0)
        return pthread_cond_wait(cond, lock);
    return left == 0 ? ETIMEDOUT : pthread_cond_timedwait_relative_np(cond, lock, &span);
}

/* Of Winsock's errors those that somebody looks at; the others are what no descriptor of ours should meet. */
static int
virWindowsSocketError(void)
{
    switch (WSAGetLastError()) {
    case WSAEWOULDBLOCK: errno = EAGAIN; break;
    case WSAEINTR:       errno = EINTR; break;
    case WSAENOBUFS:     errno = ENOMEM; break;
    case WSAEMFILE:      errno = EMFILE; break;
    case WSAENOTSOCK:    errno = EBADF; break;
    default:             errno = EIO; break;
    }
    return -1;
}

VIRT_INTERNAL int
virPlatformPoll(struct pollfd *fds, size_t count, int timeout)
{
    int ready = WSAPoll(fds, (ULONG)count, timeout);

    return ready >= 0 ? ready : virWindowsSocketError();
}

/* A connection to itself. Who else connects to the port in that moment is told by his address, and turned away. */
static bool
virWindowsSocketPair(SOCKET pair[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, mine, caller;
    SOCKET listener = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_NO_HANDLE_INHERIT | WSA_FLAG_OVERLAPPED);
    int size = sizeof(address), callerSize = sizeof(caller);
    u_long nonblocking = 1;
    bool done = false;

    pair[0] = INVALID_SOCKET;
    pair[1] = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_NO_HANDLE_INHERIT | WSA_FLAG_OVERLAPPED);
    if (listener != INVALID_SOCKET && pair[1] != INVALID_SOCKET &&
        bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 1) == 0 &&
        getsockname(listener, (struct sockaddr *)&address, &size) == 0 &&
        connect(pair[1], (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(pair[1], (struct sockaddr *)&mine, &size) == 0 &&
        (pair[0] = accept(listener, (struct sockaddr *)&caller, &callerSize)) != INVALID_SOCKET) {
        SetHandleInformation((HANDLE)pair[0], HANDLE_FLAG_INHERIT, 0);
        if (caller.sin_port != mine.sin_port)
            WSASetLastError(WSAECONNREFUSED);
        else
            done = ioctlsocket(pair[0], (long)FIONBIO, &nonblocking) == 0 && ioctlsocket(pair[1], (long)FIONBIO, &nonblocking) == 0;
    }
    if (!done)
        virWindowsSocketError();
    if (listener != INVALID_SOCKET)
        closesocket(listener);
    for (size_t i = 0; i < 2 && !done; i++)
        if (pair[i] != INVALID_SOCKET)
            closesocket(pair[i]);
    return done;
}

/* Winsock is started, which is counted, and stays so: the loop's descriptors live as long as the process does. */
VIRT_INTERNAL int
virPlatformWakeOpen(int wake[2])
{
    WSADATA data;
    SOCKET pair[2];

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        errno = EIO;
        return -1;
    }
    if (!virWindowsSocketPair(pair)) {
        WSACleanup();
        return -1;
    }
    wake[0] = (int)pair[0];                      /* handles have 32 significant bits */
    wake[1] = (int)pair[1];
    return 0;
}

VIRT_INTERNAL int
virPlatformWakeSend(const int wake[2])
{
    return send((SOCKET)wake[1], "", 1, 0) >= 0 || WSAGetLastError() == WSAEWOULDBLOCK ? 0 : virWindowsSocketError();
}

VIRT_INTERNAL void
virPlatformWakeDrain(const int wake[2])
{
    char drain[64];

    while (recv((SOCKET)wake[0], drain, sizeof(drain), 0) > 0)
        ;
}

/* There is no hypervisor here to talk over them. */
VIRT_INTERNAL int
virPlatformSocketPair(int pair[2])
{
    pair[0] = pair[1] = -1;
    errno = ENOTSUP;
    return -1;
}

/* ---------- files ---------- */

static bool
virWindowsIsDrive(const char *path)
{
    return isalpha((unsigned char)path[0]) && path[1] == ':';
}

VIRT_INTERNAL bool
virPlatformIsAbsolute(const char *path)
{
    return *path == '/' || *path == '\\' || virWindowsIsDrive(path);
}

/* -1 with errno set. */
static int
virWindowsOpen(const char *path)
{
    VIRT_CLEANUP_FREE wchar_t *wide = NULL;
    int length;

    if (*path == '/' && virWindowsIsDrive(path + 1))
        path++;
    length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    if (length <= 0) {
        errno = EILSEQ;
        return -1;
    }
    if ((wide = calloc((size_t)length, sizeof(*wide))) == NULL)
        return -1;
    MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, length);
    return _wopen(wide, _O_RDONLY | _O_BINARY | _O_NOINHERIT);
}

VIRT_INTERNAL char *
virFileRead(const char *path, size_t max, size_t *length)
{
    struct virText text = { 0 };
    int fd = virWindowsOpen(path), got;
    char part[4096];

    if (fd < 0) {
        virReportSystemError(errno, "cannot read '%s'", path);
        return NULL;
    }
    while ((got = _read(fd, part, sizeof(part))) > 0 && text.length <= max)
        virTextAppend(&text, part, (size_t)got);
    if (got < 0)
        virReportSystemError(errno, "cannot read '%s'", path);
    else if (text.length > max)
        virReportSystemError(EFBIG, "cannot read '%s': it has more than %llu bytes", path, (unsigned long long)max);
    _close(fd);
    if (got < 0 || text.length > max) {
        virTextFree(&text);
        return NULL;
    }
    if (length != NULL)
        *length = text.length;
    return virTextTake(&text);
}

/* ---------- the host's names ---------- */

VIRT_INTERNAL char *
virHostGetHostname(void)
{
    wchar_t name[256];
    DWORD size = sizeof(name) / sizeof(name[0]);
    char *text = NULL;
    int length = 0;

    if (!GetComputerNameExW(ComputerNameDnsHostname, name, &size) ||
        (length = WideCharToMultiByte(CP_UTF8, 0, name, -1, NULL, 0, NULL, NULL)) <= 0) {
        virReportError(VIR_ERR_INTERNAL_ERROR, "cannot tell the host's name: error %lu", GetLastError());
        return NULL;
    }
    if ((text = virAllocate((size_t)length)) != NULL)
        WideCharToMultiByte(CP_UTF8, 0, name, -1, text, length, NULL, NULL);
    return text;
}

VIRT_INTERNAL const char *
virHostGetArch(void)
{
    SYSTEM_INFO info;

    GetNativeSystemInfo(&info);
    switch (info.wProcessorArchitecture) {
    case PROCESSOR_ARCHITECTURE_AMD64: return "x86_64";
    case PROCESSOR_ARCHITECTURE_INTEL: return "i686";
    case PROCESSOR_ARCHITECTURE_ARM64: return "aarch64";
    case PROCESSOR_ARCHITECTURE_ARM:   return "armv7l";
    default:                           return "none";
    }
}

#undef VIRT_FROM
#endif
