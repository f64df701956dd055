/** Over how long a rate is taken: long enough to be calm, short enough to be true. */
const windowMilliseconds = 4_000

/** Bytes a second of something that is counted up. */
export class Rate {
  private samples: { at: number; total: number }[] = []

  /** Takes note of the count, now. */
  count(total: number, now = performance.now()) {
    const last = this.samples.at(-1)
    // Counted anew: what was before says nothing of the rate.
    if (last && total < last.total) this.samples = []
    this.samples.push({ at: now, total })
    while (this.samples.length > 2 && now - (this.samples[1]?.at ?? now) > windowMilliseconds) {
      this.samples.shift()
    }
  }

  perSecond(now = performance.now()): number {
    const first = this.samples[0]
    const last = this.samples.at(-1)
    if (!first || !last) return 0
    // A rate that nothing adds to falls.
    const milliseconds = Math.max(now - first.at, 1)
    return (1000 * (last.total - first.total)) / milliseconds
  }
}

/** How long the rest takes at a rate; undefined while nobody can say. */
export function secondsLeft(rest: number, rate: number): number | undefined {
  return rate > 0 ? rest / rate : undefined
}
