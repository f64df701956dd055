import type { Store } from "./types"

/** A value that can be watched. */
export class Watched<T> implements Store<T> {
  private readonly listeners = new Set<() => void>()

  constructor(private value: T) {}

  getSnapshot = (): T => this.value

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  protected replace(value: T) {
    this.value = value
    for (const listener of this.listeners) listener()
  }
}
