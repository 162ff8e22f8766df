import Tensors

extension Tensor {
  /// `[height, width, channels]` → `[1, channels, height, width]`
  package func planar() -> Tensor {
    reshaped([rows, columns]).transposed().reshaped([1, columns, shape[0], shape[1]])
  }

  /// One picture of `[pictures, channels, height, width]` → `[height, width, channels]`
  package func channelsLast(picture: Int) -> Tensor {
    let (channels, height, width) = (shape[1], shape[2], shape[3])
    let rowsOfPicture = channels * height
    return rows(picture * rowsOfPicture..<(picture + 1) * rowsOfPicture)
      .reshaped([channels, height * width]).transposed().reshaped([height, width, channels])
  }
}
