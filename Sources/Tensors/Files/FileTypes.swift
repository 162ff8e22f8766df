import Files

// Whoever reads tensors meets these in signatures and errors and need not know where they come from.
public typealias FileError = Files.FileError
public typealias MappedFile = Files.MappedFile
