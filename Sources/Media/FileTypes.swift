import Files

// Whoever writes pictures meets these and need not know where they come from.
public typealias AtomicFile = Files.AtomicFile
package typealias NumberedPath = Files.NumberedPath
