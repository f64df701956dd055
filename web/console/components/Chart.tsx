import "uplot/dist/uPlot.min.css"
import { useComputedColorScheme } from "@mantine/core"
import { useEffect, useMemo, useRef, useState } from "react"
import UPlot from "uplot"
import classes from "./Chart.module.css"

export type Line = {
  label: string
  /** A CSS variable, so that it follows the theme. */
  color: `--${string}`
  values: number[]
}

const height = 150

/** Room for the label below the last moment, half of which stands beyond the plot. */
const lastLabel = 60

/** Lines over time. It is a picture: what it says in short is in words beside it. */
export function Chart(props: {
  title: string
  /** Seconds since 1970, ascending. */
  times: number[]
  /** What the axis goes over, in the same seconds. */
  from: number
  to: number
  lines: readonly Line[]
  format: (value: number) => string
  /** Of things that are counted there is no half. */
  whole?: boolean
}) {
  const { times, from, to, lines, format } = props
  const box = useRef<HTMLDivElement>(null)
  const scheme = useComputedColorScheme()
  const plot = useRef<UPlot>(undefined)
  const [pointed, setPointed] = useState<number | null>(null)
  const latest = useRef({ format, from, to })
  latest.current = { format, from, to }

  // Axes and colours are fixed when the plot is made; figures come into it later.
  const shape = lines.map(({ label, color }) => `${label} ${color}`).join("\n")
  const { whole } = props
  // biome-ignore lint/correctness/useExhaustiveDependencies: the scheme changes what the colours' variables hold
  useEffect(() => {
    const element = box.current
    if (!element) return
    const style = getComputedStyle(element)
    const value = (name: string) => style.getPropertyValue(name).trim()
    const font = `11px ${value("--mantine-font-family")}`
    const made = new UPlot(
      {
        width: Math.max(120, element.clientWidth),
        height,
        padding: [8, lastLabel / 2 + 4, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: {
          x: { range: () => [latest.current.from, latest.current.to] },
          y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] },
        },
        axes: [
          {
            font,
            stroke: value("--mantine-color-dimmed"),
            grid: { show: false },
            ticks: { show: false },
            size: 26,
            space: 70,
            values: (_plot, splits) => splits.map(timeOfDay),
          },
          {
            font,
            stroke: value("--mantine-color-dimmed"),
            grid: { stroke: value("--coffer-line"), width: 1 },
            ticks: { show: false },
            size: 64,
            space: 36,
            values: (_plot, splits) =>
              splits.map((split) => (split === 0 ? "0" : latest.current.format(split))),
            ...(whole && { incrs: wholeSteps }),
          },
        ],
        series: [
          {},
          ...shape.split("\n").map((line) => {
            const [label, color] = cut(line)
            return {
              label,
              stroke: value(color),
              width: 1.5,
              fill: `color-mix(in srgb, ${value(color)} 12%, transparent)`,
              points: { show: (plot: UPlot) => plot.data[0].length < 3 },
            }
          }),
        ],
        hooks: { setCursor: [(plot) => setPointed(plot.cursor.idx ?? null)] },
      },
      undefined,
      element,
    )
    plot.current = made
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height })
    })
    resized.observe(element)
    return () => {
      resized.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape, scheme, whole])

  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot made anew has no figures yet
  useEffect(() => {
    plot.current?.setData([times, ...lines.map((line) => line.values)])
  }, [times, lines, scheme, shape])

  const words = useMemo(
    () =>
      times.length === 0
        ? "no figures yet"
        : lines
            .map(
              ({ label, values }) =>
                `${label}: last ${format(values.at(-1) ?? 0)}, at most ${format(Math.max(...values))}`,
            )
            .join("; "),
    [times, lines, format],
  )
  const at = pointed ?? times.length - 1

  return (
    <figure className={classes.figure}>
      <figcaption className={classes.caption}>
        <span className={classes.title}>{props.title}</span>
        <span className={classes.legend} aria-hidden>
          {pointed !== null && times[pointed] !== undefined && (
            <span className={classes.time}>{timeOfDay(times[pointed])}</span>
          )}
          {lines.map(({ label, color, values }) => (
            <span key={label} className={classes.entry}>
              <span className={classes.swatch} style={{ background: `var(${color})` }} />
              {lines.length > 1 && `${label} `}
              <b>{format(values[at] ?? 0)}</b>
              {values.length > 0 && <span>max. {format(Math.max(...values))}</span>}
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={box} className={classes.plot} role="img" aria-label={`${props.title}. ${words}`} />
    </figure>
  )
}

const wholeSteps = [1, 2, 5]
  .flatMap((n) => [n, n * 10, n * 100, n * 1_000, n * 10_000, n * 100_000])
  .sort((a, b) => a - b)

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })

function timeOfDay(seconds: number): string {
  return clock.format(seconds * 1_000)
}

function cut(line: string): [label: string, color: string] {
  const space = line.lastIndexOf(" ")
  return [line.slice(0, space), line.slice(space + 1)]
}
