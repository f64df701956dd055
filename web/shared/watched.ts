/** A value that can be watched. A snapshot is immutable: another value is another object. */
export interface Store<T> {
  getSnapshot(this: void): T
  subscribe(this: void, listener: () => void): () => void
}

/** A value that is watched, and replaced by those that hold it. */
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
