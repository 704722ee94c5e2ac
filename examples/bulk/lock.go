package main

import "errors"

var errLocked = errors.New("another run is at work with it")
