/// Mistakes that are made on purpose in the models of the runtimes or in what they tell the cores, to see that simulations
/// would find them.
enum PlantedBug: CaseIterable {
  // In recovery.
  case survivorsKeepTheirCaches
  case replayFromTheStepDeliveredLast
  case replayWithTheNewestLatents
  case attemptNumbersUsedAgain
  case snapshotTakenWhenItIsSent
  case snapshotNotRestored
  case snapshotKeptTooEarly
  // In adoption.
  case heldStepsNotCompared
  case oneStageBeginsAnew
  case oldOutputGivenAgain
  case answersOfOtherSteps
  // In fences.
  case lateOutputsTaken
  case lateInputsTaken
  case oldEpochsObeyed
  case sessionsMixed
  case stagesByTheirProcesses
  // In delivery.
  case duplicatesPastTheInbox
  case nothingSentAgain
  case acknowledgedBeforeProcessed
  // In watching.
  case leaseIgnored
  case hangsUnseen
  case lostWorkersUnanswered
  case endOfConnectionIgnored
  case endOfConnectionIsDeath
  // In admission.
  case otherNumericsLetIn
  case memoryIgnored
  case nobodyBlamed
  case everybodyBlamed
  // In remembering.
  case effectBeforeSync
  case replayLosesTheLastRecord
  case snapshotLosesAJob
  case keyForgottenOnReplay
  case doneBeforeRename
  case failedSyncIgnored
  case epochNotRaised
  case pauseForEver
}
