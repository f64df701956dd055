import { EmptyState, type EmptyStateProps, Skeleton } from "@mantine/core"
import type { Icon } from "@tabler/icons-react"
import type { ReactNode } from "react"

/** What stands where there is nothing to list, and why. */
export function Empty(props: {
  icon: Icon
  title: string
  description: ReactNode
  children?: EmptyStateProps["children"]
}) {
  const { icon: Icon } = props
  return (
    <EmptyState
      py="xl"
      px="lg"
      icon={<Icon stroke={1.5} aria-hidden />}
      title={props.title}
      description={props.description}
    >
      {props.children}
    </EmptyState>
  )
}

/** Stands for rows that are on their way. */
export function Waiting(props: { rows?: number }) {
  return (
    <div style={{ padding: "0 var(--mantine-spacing-lg) var(--mantine-spacing-md)" }}>
      {Array.from({ length: props.rows ?? 4 }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <Skeleton key={i} height={20} my={12} />
      ))}
    </div>
  )
}
