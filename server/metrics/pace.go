package metrics

import "time"

// paceSpan is how far back a pace looks.
const paceSpan = 5 * time.Second

// A Pace measures how fast something progresses, from samples. Its zero value
// is ready.
type Pace struct {
	at   time.Time
	done int64
	rate float64
}

// Look notes how far it is now, and returns the rate per second: an average in
// which what is longer ago than some seconds hardly counts.
func (p *Pace) Look(now time.Time, done int64) float64 {
	span := now.Sub(p.at)
	switch {
	case p.at.IsZero() || done < p.done:
		*p = Pace{at: now, done: done}
	case span >= rateStep:
		latest := float64(done-p.done) / span.Seconds()
		weight := min(1, span.Seconds()/paceSpan.Seconds())
		if p.rate == 0 {
			weight = 1
		}
		p.rate += weight * (latest - p.rate)
		p.at, p.done = now, done
	}
	return p.rate
}
