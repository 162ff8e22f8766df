// Nothing is to be called here: mutex.c takes the place of functions of Swift's library.
