/// A mistake that is made on purpose, to see that simulations would find it.
enum PlantedBug: CaseIterable {
  case survivorsKeepTheirCaches
}
