import CZeroMQ
import Glibc

/// The inside of a ``MessageLoop``: its sockets and timers. Only its own thread has it.
public final class LoopThread {
  private struct Entry {
    let socket: Socket
    let whenReadable: () throws -> Void
    var whenWritable: (() throws -> Void)?
  }

  private struct Timer {
    var next: Int64
    let interval: Int64?
    let body: () -> Void
  }

  private let wakeUp: WakeUp
  private var entries: [Entry] = []
  private var timers: [Timer] = []
  /// Told the error of a socket's closure. The socket is not looked at any more.
  public var whenFailed: ((any Error) -> Void)?

  init(wakeUp: WakeUp) { self.wakeUp = wakeUp }

  /// Watches a socket: `whenReadable` is called again and again as long as it can be read, and reads one message.
  public func add(_ socket: Socket, whenReadable: @escaping () throws -> Void) {
    entries.append(Entry(socket: socket, whenReadable: whenReadable))
  }

  /// Calls `body` when the socket can be written, until it is set to nil.
  public func whenWritable(_ socket: Socket, _ body: (() throws -> Void)?) {
    guard let index = entries.firstIndex(where: { $0.socket === socket }) else { return }
    entries[index].whenWritable = body
  }

  public func every(milliseconds: Int, _ body: @escaping () -> Void) {
    timers.append(
      Timer(next: MonotonicClock.milliseconds + Int64(milliseconds), interval: Int64(milliseconds), body: body))
  }

  public func after(milliseconds: Int, _ body: @escaping () -> Void) {
    timers.append(Timer(next: MonotonicClock.milliseconds + Int64(milliseconds), interval: nil, body: body))
  }

  /// Waits for messages, work or a timer, and serves what there is, one message a socket.
  func waitAndServe() {
    var items = entries.map { entry in
      let events = ZMQ_POLLIN | (entry.whenWritable == nil ? 0 : ZMQ_POLLOUT)
      return zmq_pollitem_t(socket: entry.socket.pointer, fd: 0, events: Int16(events), revents: 0)
    }
    items.append(zmq_pollitem_t(socket: nil, fd: wakeUp.descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
    let wait = timers.map(\.next).min().map { max(0, $0 - MonotonicClock.milliseconds) } ?? -1
    guard zmq_poll(&items, Int32(items.count), Int(wait)) >= 0 else { return }
    if let last = items.last, Int32(last.revents) & ZMQ_POLLIN != 0 { wakeUp.clear() }
    serve(entries, items)
    fireTimers()
  }

  /// Lets go of everything: closures may hold this object.
  func end() {
    entries = []
    timers = []
    whenFailed = nil
  }

  private func serve(_ entries: [Entry], _ items: [zmq_pollitem_t]) {
    for (entry, item) in zip(entries, items) {
      do {
        if Int32(item.revents) & ZMQ_POLLIN != 0 { try entry.whenReadable() }
        if Int32(item.revents) & ZMQ_POLLOUT != 0 { try entry.whenWritable?() }
      } catch {
        self.entries.removeAll { $0.socket === entry.socket }
        whenFailed?(error)
      }
    }
  }

  private func fireTimers() {
    let now = MonotonicClock.milliseconds
    let due = timers.filter { $0.next <= now }
    guard !due.isEmpty else { return }
    timers.removeAll { $0.next <= now && $0.interval == nil }
    for index in timers.indices where timers[index].next <= now {
      timers[index].next = now + (timers[index].interval ?? 0)
    }
    for timer in due { timer.body() }
  }
}
