import { Group, Text } from "@mantine/core"
import type { ReactNode } from "react"
import classes from "./StatusDot.module.css"

export type Tone = "good" | "warn" | "bad" | "idle"

/** A coloured dot with words beside it: never the colour alone. */
export function StatusDot(props: { tone: Tone; children: ReactNode; size?: "xs" | "sm" }) {
  return (
    <Group gap={8} wrap="nowrap" component="span" display="inline-flex">
      <span className={classes.dot} data-tone={props.tone} aria-hidden />
      <Text span size={props.size ?? "sm"}>
        {props.children}
      </Text>
    </Group>
  )
}
