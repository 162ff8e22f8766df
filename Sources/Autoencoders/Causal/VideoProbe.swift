import Tensors

/// A probe that shows videos as other implementations hold them, `[channels, frames, height, width]`.
struct VideoProbe {
  private let probe: Probe

  init(_ probe: Probe) { self.probe = probe }

  func callAsFunction(_ name: String, _ x: Tensor) {
    probe(name, x.reshaped([x.rows, x.columns]).transposed().reshaped([x.columns] + x.shape.dropLast()))
  }

  /// Shows rows of pixels as they are.
  func pixels(_ name: String, _ x: Tensor) { probe(name, x.reshaped([x.rows, x.columns])) }

  func module(_ name: String) -> VideoProbe { VideoProbe(probe.module(name)) }
}
