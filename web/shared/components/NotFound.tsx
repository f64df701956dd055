import { Button, EmptyState } from "@mantine/core"
import { IconMapOff } from "@tabler/icons-react"
import { Link } from "@tanstack/react-router"
import { Page } from "./Page"

export function NotFound() {
  return (
    <Page title="There is no such page">
      <EmptyState
        py={56}
        icon={<IconMapOff stroke={1.5} aria-hidden />}
        title="This address leads nowhere"
        description="It may be mistyped, or the page may have moved."
      >
        <EmptyState.Actions>
          <Button component={Link} to="/">
            To the dashboard
          </Button>
        </EmptyState.Actions>
      </EmptyState>
    </Page>
  )
}
