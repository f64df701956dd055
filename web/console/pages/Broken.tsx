import { Button } from "@mantine/core"
import { IconRefresh } from "@tabler/icons-react"
import { Page } from "../../shared/components/Page"
import { Empty } from "../components/Empty"

/** In place of a page that cannot be shown: its script did not come, or failed. */
export function Broken() {
  return (
    <Page title="This page cannot be shown">
      <Empty
        icon={IconRefresh}
        title="A part of the page did not load"
        description="The server cannot be reached, or was updated after you opened this page. Reload when the server is back."
      >
        <Button mt="md" onClick={() => location.reload()}>
          Reload
        </Button>
      </Empty>
    </Page>
  )
}
