#!/usr/bin/env python3
"""Joins network namespaces by a link that is as bad as it is told to be. Needs root, iproute2 and /dev/net/tun.

    bad_link.py serve SOCKET [--seed N] NAME=ADDRESS/PREFIX@NAMESPACE ...
    bad_link.py tell SOCKET WORDS ...

serve gives each namespace a device (link0) with its address, and carries IP packets between these devices until it is
ended. Each packet is a packet of the kernel's, so that what is dropped here is lost to TCP as on a real wire. Words:

    between A and B KEY=VALUE ...    both directions; A and B are names with commas in between, or all
    from A to B KEY=VALUE ...        one direction
        loss=PERCENT  duplicate=PERCENT  delay=MS  jitter=MS (to both sides of the delay; packets overtake one another)
        cut=1 or 0  flap=TIMESxSECONDS (cut for so long and whole for as long, so many times)
    host A rate=MBIT                 of what A sends, and of what it gets; 0 is without a limit
    clear                            all is good again
    counts                           how many packets came, and were lost, cut off, doubled, or too many for a queue

With the same seed and settings the n-th packet of a direction has the same fate in each run; which packet is the n-th is
up to the kernel's timing.
"""
import fcntl, heapq, os, random, select, signal, socket, struct, subprocess, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 1500
# Packets that would wait longer for the rate of a host are dropped, as in the full queue of a router.
LONGEST_QUEUE = 0.1
PACKETS_AT_ONCE = 64
COUNTED = ("packets", "lost", "cut", "doubled", "queue_full")


class Host:
    def __init__(self, text, number):
        self.name, rest = text.split("=", 1)
        network, self.namespace = rest.split("@", 1)
        address = network.split("/")[0]
        self.packed = socket.inet_aton(address)
        self.byte_seconds = 0.0  # 0: no limit
        self.sent_until = self.got_until = 0.0
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        # A device is made where its name is free, and then moved; the descriptor goes on to belong to it.
        device = f"bl{os.getpid()}-{number}"
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
        for words in (
            f"ip link set {device} netns {self.namespace} name link0",
            f"ip -n {self.namespace} link set link0 mtu {MTU} txqueuelen 2000 up",
            f"ip -n {self.namespace} link set lo up",
            f"ip -n {self.namespace} addr add {network} dev link0",
        ):
            subprocess.run(words.split(), check=True)


class Direction:
    def __init__(self, sender, receiver, seed):
        self.sender, self.receiver = sender, receiver
        self.random = random.Random(f"{seed} {sender.name} {receiver.name}").random
        self.counts = dict.fromkeys(COUNTED, 0)
        self.clear()

    def clear(self):
        self.loss = self.duplicate = self.delay = self.jitter = 0.0
        self.cut = False
        self.flaps = 0  # counts the orders to flap: a newer one ends an older one

    def set(self, key, value, relay):
        if key in ("loss", "duplicate"):
            share = float(value) / 100
            if not 0 <= share <= 1:
                raise ValueError(f"{key} is a percentage")
            setattr(self, key, share)
        elif key in ("delay", "jitter"):
            if float(value) < 0:
                raise ValueError(f"{key} is not negative")
            setattr(self, key, float(value) / 1000)
        elif key == "cut":
            self.cut, self.flaps = bool(int(value)), self.flaps + 1
        elif key == "flap":
            times, seconds = value.split("x")
            self.flaps += 1
            self.flap(2 * int(times), float(seconds), relay, self.flaps)
        else:
            raise ValueError(f"there is no {key}")

    def flap(self, left, seconds, relay, order):
        if order != self.flaps:
            return
        self.cut = left % 2 == 0 and left > 0
        if left > 0:
            relay.later(time.monotonic() + seconds, lambda: self.flap(left - 1, seconds, relay, order))

    @property
    def is_plain(self):
        return not (self.loss or self.duplicate or self.delay or self.jitter)


class Relay:
    def __init__(self, path, seed, hosts):
        self.hosts = [Host(text, number) for number, text in enumerate(hosts)]
        self.directions = {
            (a.name, b.name): Direction(a, b, seed) for a in self.hosts for b in self.hosts if a is not b
        }
        # By descriptor and address: what the loop looks up.
        self.routes = {
            a.fd: {b.packed: self.directions[a.name, b.name] for b in self.hosts if a is not b} for a in self.hosts
        }
        self.queue, self.order = [], 0
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.bind(path)
        self.control.listen(8)

    def later(self, when, what, fd=-1):
        self.order += 1
        heapq.heappush(self.queue, (when, self.order, fd, what))

    def serve(self):
        fds = [host.fd for host in self.hosts] + [self.control.fileno()]
        while True:
            wait = max(0.0, self.queue[0][0] - time.monotonic()) if self.queue else None
            for fd in select.select(fds, [], [], wait)[0]:
                if fd == self.control.fileno():
                    self.answer()
                else:
                    self.carry(fd)
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                _, _, fd, what = heapq.heappop(self.queue)
                if fd < 0:
                    what()
                else:
                    hand_over(fd, what)

    def carry(self, fd):
        routes = self.routes[fd]
        for _ in range(PACKETS_AT_ONCE):
            try:
                packet = os.read(fd, 65536)
            except BlockingIOError:
                return
            direction = routes.get(packet[16:20]) if packet[0] >> 4 == 4 else None
            if direction is None:
                continue
            counts = direction.counts
            counts["packets"] += 1
            if direction.cut:
                counts["cut"] += 1
                continue
            when = self.time_through(direction, len(packet))
            if when is None:
                counts["queue_full"] += 1
                continue
            if direction.is_plain:
                self.pass_on(direction, packet, when)
                continue
            # All drawn each time, so that the fate of a packet does not hang on those before it.
            loss, duplicate, first, second = [direction.random() for _ in range(4)]
            if loss < direction.loss:
                counts["lost"] += 1
                continue
            self.pass_on(direction, packet, when, first)
            if duplicate < direction.duplicate:
                counts["doubled"] += 1
                self.pass_on(direction, packet, when, second)

    def time_through(self, direction, size):
        """When a packet has gone through the rates of both its hosts; 0 without any, None if a queue is full."""
        sender, receiver = direction.sender, direction.receiver
        if not sender.byte_seconds and not receiver.byte_seconds:
            return 0.0
        now = time.monotonic()
        sent = max(now, sender.sent_until) + size * sender.byte_seconds
        got = max(sent, receiver.got_until) + size * receiver.byte_seconds
        if sent - now > LONGEST_QUEUE or got - sent > LONGEST_QUEUE:
            return None
        sender.sent_until, receiver.got_until = sent, got
        return got

    def pass_on(self, direction, packet, when, draw=0.5):
        delay = direction.delay + direction.jitter * (2 * draw - 1)
        if delay > 0:
            when = (when or time.monotonic()) + delay
        if when:
            self.later(when, packet, direction.receiver.fd)
        else:
            hand_over(direction.receiver.fd, packet)

    # The control

    def answer(self):
        connection, _ = self.control.accept()
        with connection:
            connection.settimeout(1)
            try:
                reply = self.obey(connection.recv(4096).decode().split())
            except (ValueError, KeyError, IndexError, OSError) as error:
                reply = f"error: {error}"
            try:
                connection.sendall(reply.encode())
            except OSError:
                pass

    def obey(self, words):
        first = words[0] if words else ""
        if words == ["clear"]:
            for direction in self.directions.values():
                direction.clear()
            for host in self.hosts:
                host.byte_seconds = 0.0
        elif words == ["counts"]:
            totals = [sum(d.counts[key] for d in self.directions.values()) for key in COUNTED]
            return " ".join(f"{key}={total}" for key, total in zip(COUNTED, totals))
        elif first == "host" and len(words) == 3:
            for host in self.hosts:
                if host.name in self.names(words[1]):
                    key, value = words[2].split("=")
                    if key != "rate":
                        raise ValueError(f"there is no {key}")
                    host.byte_seconds = 8 / (float(value) * 1e6) if float(value) else 0.0
        elif len(words) > 4 and (first, words[2]) in (("between", "and"), ("from", "to")):
            pairs = [(a, b) for a in self.names(words[1]) for b in self.names(words[3]) if a != b]
            if first == "between":
                pairs += [(b, a) for a, b in pairs if (b, a) not in pairs]
            for pair in dict.fromkeys(pairs):
                for setting in words[4:]:
                    key, value = setting.split("=")
                    self.directions[pair].set(key, value, self)
        else:
            raise ValueError("there are between A and B …, from A to B …, host A rate=…, clear and counts")
        return "ok"

    def names(self, text):
        known = [host.name for host in self.hosts]
        names = known if text == "all" else text.split(",")
        for name in names:
            if name not in known:
                raise ValueError(f"there is no host {name}")
        return names


def hand_over(fd, packet):
    try:
        os.write(fd, packet)
    except OSError:
        pass  # The device is down, or its namespace gone.


def tell(path, words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        connection.sendall(" ".join(words).encode())
        reply = b""
        while part := connection.recv(65536):
            reply += part
    if reply.startswith(b"error"):
        sys.exit(reply.decode())
    if reply != b"ok":
        print(reply.decode())


def main():
    words = sys.argv[1:]
    if len(words) >= 3 and words[0] == "tell":
        tell(words[1], words[2:])
    elif len(words) >= 3 and words[0] == "serve":
        path, hosts, seed = words[1], words[2:], "1"
        if hosts[0] == "--seed":
            seed, hosts = hosts[1], hosts[2:]
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        Relay(path, seed, hosts).serve()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
