// wan -left A -right B -delay 40ms -jitter 5ms -loss 0.01 -mbit 10
//
// Carries Ethernet frames between two TAP devices, made here in the current network namespace, with delay, jitter
// (order is kept), loss and, if asked, a rate. Stands in for sch_netem on kernels that lack it.
package main

import (
	"flag"
	"log"
	"math/rand"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// One way of the wire.
type wire struct {
	delay, jitter time.Duration
	loss          float64
	megabits      float64
	queued        int
}

type frame struct {
	bytes []byte
	due   time.Time
}

func main() {
	var w wire
	flag.DurationVar(&w.delay, "delay", 0, "one-way delay, each direction")
	flag.DurationVar(&w.jitter, "jitter", 0, "uniform, plus or minus, each direction")
	flag.Float64Var(&w.loss, "loss", 0, "probability that a frame is lost, each direction")
	flag.Float64Var(&w.megabits, "mbit", 0, "rate limit in Mbit/s, each direction; 0 is none")
	flag.IntVar(&w.queued, "queue", 10000, "frames that may wait; more are dropped")
	left, right := flag.String("left", "", "name of a TAP"), flag.String("right", "", "name of the other")
	flag.Parse()
	a, b := tap(*left), tap(*right)
	go w.carry(a, b)
	w.carry(b, a)
}

func (w wire) carry(from, to *os.File) {
	queue := make(chan frame, w.queued)
	go func() {
		for f := range queue {
			time.Sleep(time.Until(f.due))
			to.Write(f.bytes)
		}
	}()
	var last, free time.Time
	buffer := make([]byte, 65600)
	for {
		size, err := from.Read(buffer)
		if err != nil {
			log.Fatal(err)
		}
		if rand.Float64() < w.loss {
			continue
		}
		now := time.Now()
		due := now.Add(w.delay)
		if w.jitter > 0 {
			due = due.Add(time.Duration((rand.Float64()*2 - 1) * float64(w.jitter)))
		}
		if w.megabits > 0 {
			if free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(float64(size*8) / w.megabits * 1000))
			due = due.Add(free.Sub(now))
		}
		if due.Before(last) {
			due = last
		}
		last = due
		select {
		case queue <- frame{append([]byte(nil), buffer[:size]...), due}:
		default:
		}
	}
}

func tap(name string) *os.File {
	descriptor, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		log.Fatal("/dev/net/tun: ", err)
	}
	var request [40]byte // struct ifreq
	copy(request[:15], name)
	*(*uint16)(unsafe.Pointer(&request[16])) = unix.IFF_TAP | unix.IFF_NO_PI
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(descriptor), unix.TUNSETIFF, uintptr(unsafe.Pointer(&request[0]))); errno != 0 {
		log.Fatal(name, ": ", errno)
	}
	return os.NewFile(uintptr(descriptor), name)
}
