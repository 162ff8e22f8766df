/// What a cache is told of its sample before the first step.
public struct CacheSetup: Sendable {
  /// The random choices of the sample.
  public var choices: any TokenChoices
  /// The steps of the run.
  public var steps: Int
  public var layout: BlockLayout
  /// Image tokens side by side in a row of the picture.
  public var columns: Int
  /// Whether somebody looks inside of steps, and so everything has to be there, also what does not reach the picture.
  public var isObserved: Bool

  public init(
    choices: any TokenChoices, steps: Int, layout: BlockLayout, columns: Int, isObserved: Bool = false
  ) {
    self.choices = choices
    self.steps = steps
    self.layout = layout
    self.columns = columns
    self.isObserved = isObserved
  }
}
