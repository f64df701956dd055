import { Paper, Skeleton, Text } from "@mantine/core"
import type { ReactNode } from "react"
import classes from "./Stat.module.css"

/** One figure and what it counts. */
export function Stat(props: { label: string; value?: ReactNode; note?: ReactNode }) {
  return (
    <Paper p="md" component="dl" m={0}>
      <Text component="dt" size="sm" c="dimmed">
        {props.label}
      </Text>
      <Text
        component="dd"
        m={0}
        fz={{ base: "1.125rem", md: "1.375rem" }}
        fw={600}
        lh={1.35}
        className={classes.value}
      >
        {props.value ?? <Skeleton height={22} width={80} my={4} />}
      </Text>
      {props.note && (
        <Text component="dd" m={0} size="xs" c="dimmed">
          {props.note}
        </Text>
      )}
    </Paper>
  )
}
