/// What random numbers are for. The numbers are part of saved pictures' meaning: never reuse one for something else.
public enum RandomPurpose: UInt8, Sendable, Hashable, CaseIterable {
  /// Which tokens the first centroids of a clustering are.
  case initialCentroids = 1
  /// Which token of each cluster is computed anew.
  case freshTokens = 2
  /// Noise that a sampler adds at a step.
  case samplerNoise = 3
  /// Inputs by whose results machines are told apart.
  case numerics = 4
  /// Anything in a test.
  case test = 255
}
