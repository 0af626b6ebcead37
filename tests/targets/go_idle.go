// Goroutines that wait for a mutex of a sleeping one. The threads underneath are parked by the
// runtime, which is no contention between threads.
package main

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

func main() {
	syscall.RawSyscall6(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0, 0)
	var mu sync.Mutex
	mu.Lock()
	for i := 0; i < 8; i++ {
		go func() {
			mu.Lock()
			mu.Unlock()
		}()
	}
	fmt.Println("READY")
	time.Sleep(time.Hour)
}
