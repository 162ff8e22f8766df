import Tensors

/// What a decoder gives, as pixels.
public enum Pixels {
  /// `[pictures, channels, height, width]` in -1...1 → `[pictures, height, width, channels]` in 0...1, cut off beyond.
  public static func unit(_ decoded: Tensor) -> Tensor {
    let (pictures, channels) = (decoded.shape[0], decoded.shape[1])
    let (height, width) = (decoded.shape[2], decoded.shape[3])
    var result = Tensor(uninitialized: [pictures, height, width, channels])
    decoded.withUnsafeElements { source in
      result.withUnsafeMutableElements { target in
        for picture in 0..<pictures {
          for channel in 0..<channels {
            let plane = (picture * channels + channel) * height * width
            for pixel in 0..<height * width {
              let value = min(max(source[plane + pixel] / 2 + 0.5, 0), 1)
              target[(picture * height * width + pixel) * channels + channel] = value
            }
          }
        }
      }
    }
    return result
  }

  /// Channels last as they are, -1...1 → 0...1, cut off beyond.
  public static func unit(channelsLast decoded: Tensor) -> Tensor {
    var result = decoded
    result.withUnsafeMutableElements { target in
      guard let start = target.baseAddress else { return }
      Tensor.forEachRowRange(rows: target.count, columns: 1) { range in
        for index in range { start[index] = min(max(start[index] / 2 + 0.5, 0), 1) }
      }
    }
    return result
  }

  /// 0...1 → 0...255, halves to the even number, as numpy rounds. What is not a number becomes 0.
  public static func bytes(_ unit: Tensor) -> [UInt8] {
    unit.elements.map { value in
      value.isNaN ? 0 : UInt8(min(max((value * 255).rounded(.toNearestOrEven), 0), 255))
    }
  }
}
