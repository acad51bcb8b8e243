"""An event loop of one's own, by poll(), as a program with its own main loop hands it to the library."""
import select
import time

import libvirt

TO_POLL = ((libvirt.VIR_EVENT_HANDLE_READABLE, select.POLLIN), (libvirt.VIR_EVENT_HANDLE_WRITABLE, select.POLLOUT),
           (libvirt.VIR_EVENT_HANDLE_ERROR, select.POLLERR), (libvirt.VIR_EVENT_HANDLE_HANGUP, select.POLLHUP))


class Loop:
    def __init__(self):
        self.descriptors = {}           # watch: [fd, events, callback, opaque]
        self.timers = {}                # number: [interval, next, callback, opaque]
        self.last = 0
        self.removed = []               # opaques that the library frees, but not inside its own call

    def register(self):
        libvirt.virEventRegisterImpl(self.add, self.update, self.remove,
                                     self.add_timer, self.update_timer, self.remove_timer)

    def number(self):
        self.last += 1
        return self.last

    def add(self, fd, events, callback, opaque):
        watch = self.number()
        self.descriptors[watch] = [fd, events, callback, opaque]
        return watch

    def update(self, watch, events):
        self.descriptors[watch][1] = events

    def remove(self, watch):
        self.removed.append(self.descriptors.pop(watch)[3])
        return 0

    def add_timer(self, interval, callback, opaque):
        timer = self.number()
        self.timers[timer] = [0, 0, callback, opaque]
        self.update_timer(timer, interval)
        return timer

    def update_timer(self, timer, interval):
        self.timers[timer][0:2] = [interval, time.monotonic() + interval / 1000]

    def remove_timer(self, timer):
        self.removed.append(self.timers.pop(timer)[3])
        return 0

    def once(self, milliseconds):
        now = time.monotonic()
        soonest = min((t[1] for t in self.timers.values() if t[0] >= 0), default=now + milliseconds / 1000)
        poll = select.poll()
        by_fd = {}
        for watch, (fd, *_) in self.descriptors.items():
            by_fd.setdefault(fd, []).append(watch)
        for fd, watches in by_fd.items():
            poll.register(fd, sum(p for v, p in TO_POLL if any(self.descriptors[w][1] & v for w in watches)))
        for fd, got in poll.poll(max(0, min(milliseconds, (soonest - now) * 1000))):
            events = sum(v for v, p in TO_POLL if got & p)
            for watch in by_fd[fd]:
                if watch in self.descriptors:
                    _, _, callback, opaque = self.descriptors[watch]
                    callback(watch, fd, events, opaque)
        for timer in list(self.timers):
            if timer in self.timers and 0 <= self.timers[timer][0] and self.timers[timer][1] <= time.monotonic():
                self.update_timer(timer, self.timers[timer][0])
                _, _, callback, opaque = self.timers[timer]
                callback(timer, opaque)
        while self.removed:
            libvirt.virEventInvokeFreeCallback(self.removed.pop())
