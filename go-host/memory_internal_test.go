package rootbridge

import "testing"

func TestAContainersMemoryIsSharedByAsManyWorkersAsThereCanBeAtATime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit             int64
		workers, draining int
		want              int64
	}{
		{2 << 30, 2, 2, (3 << 29) / 5},
		{1 << 30, 1, 1, (3 << 28) / 3},
		{128 << 20, 4, 4, leastHeap},
		{64 << 30, 2, 2, 0}, // Node's own default is less
	} {
		if got := shareOf(c.limit, c.workers, c.draining); got != c.want {
			t.Errorf("%d MiB for %d workers and %d that finish: %d bytes each, expected %d", c.limit>>20, c.workers, c.draining, got, c.want)
		}
	}
}
