import { cleanup, configure } from "@testing-library/react"
import { afterEach, vi } from "vitest"

// A machine that has much else to do is slow, not wrong.
configure({ asyncUtilTimeout: 240_000 })

afterEach(() => {
  if (typeof document !== "undefined") cleanup()
})

// What Mantine asks of a browser and jsdom lacks.
if (typeof window !== "undefined") {
  window.matchMedia = vi.fn((query: string) => ({
    matches: false,
    media: query,
    onchange: null,
    addListener: () => {},
    removeListener: () => {},
    addEventListener: () => {},
    removeEventListener: () => {},
    dispatchEvent: () => false,
  }))
  window.ResizeObserver = class {
    observe() {}
    unobserve() {}
    disconnect() {}
  }
  window.scrollTo = () => {}
  Element.prototype.scrollIntoView = () => {}
}
