import { Box, Group, Text, Title } from "@mantine/core"
import type { ReactNode } from "react"
import { useTitle } from "../hooks/useTitle"
import classes from "./Page.module.css"

/** A page: its title, which is the document's as well, what can be done with the whole of it, and what is on it. */
export function Page(props: {
  title: string
  /** Precedes the title in the browser's tab, as "43 %" does. */
  progress?: string
  description?: ReactNode
  actions?: ReactNode
  children: ReactNode
}) {
  const { title, progress } = props
  useTitle(progress ? `${progress} · ${title}` : title)
  return (
    <Box className={classes.page}>
      <Group className={classes.head} justify="space-between" align="flex-start" gap="md">
        <div className={classes.words}>
          <Title order={1}>{title}</Title>
          {props.description && (
            <Text c="dimmed" size="sm" mt={4}>
              {props.description}
            </Text>
          )}
        </div>
        {props.actions && <Group gap="xs">{props.actions}</Group>}
      </Group>
      {props.children}
    </Box>
  )
}
