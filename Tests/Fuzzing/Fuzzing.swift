import Glibc

// Feeds bytes to what reads those of others, under libFuzzer, whose main function calls these two:
// `Fuzzing TARGET [options of libFuzzer] [folders]`.
//
// A reader may refuse its bytes or give a value. It finds something when a reader traps, touches memory that is not its
// own, takes too long or too much memory, or does not keep what a target demands.

/// Chooses the target by the first argument and takes that away.
@_cdecl("LLVMFuzzerInitialize")
func initialize(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
  let name = count.pointee > 1 ? arguments.pointee[1].map { String(cString: $0) } : nil
  guard let target = FuzzTargets.all.first(where: { $0.key == name })?.value else {
    print(FuzzTargets.all.map { $0.key }.joined(separator: "\n"))
    exit(name == nil ? 0 : 64)
  }
  FuzzTargets.chosen = target
  arguments.pointee[1] = arguments.pointee[0]
  arguments.pointee += 1
  count.pointee -= 1
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
func read(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  FuzzTargets.chosen(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
