import {
  Alert,
  Anchor,
  type CSSVariablesResolver,
  createTheme,
  type MantineColorsTuple,
  Modal,
  Notification,
  Paper,
  Progress,
  Tooltip,
} from "@mantine/core"

/** Petrol: the colour of actions. Green is kept for one meaning alone: verified. */
const petrol: MantineColorsTuple = [
  "#eef7f8",
  "#d9ecef",
  "#b3d9df",
  "#86c1cb",
  "#5aa7b5",
  "#398f9f",
  "#237787",
  "#17606f",
  "#124c59",
  "#0d3944",
]

const slate: MantineColorsTuple = [
  "#e4e9ed",
  "#c6ced5",
  "#a4aeb8",
  "#7c8792",
  "#424c56",
  "#333c45",
  "#262e36",
  "#181e24",
  "#0f1418",
  "#0a0e11",
]

const font =
  '"Inter Variable", -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

export const theme = createTheme({
  primaryColor: "petrol",
  primaryShade: { light: 7, dark: 6 },
  colors: { petrol, dark: slate },
  fontFamily: font,
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  headings: {
    fontFamily: font,
    fontWeight: "600",
    textWrap: "balance",
    sizes: {
      h1: { fontSize: "1.625rem", lineHeight: "1.25" },
      h2: { fontSize: "1.0625rem", lineHeight: "1.4" },
      h3: { fontSize: "0.9375rem", lineHeight: "1.4" },
    },
  },
  components: {
    Alert: Alert.extend({
      vars: (_theme, { color = "petrol" }) => ({
        root: {
          "--alert-bg": `color-mix(in srgb, var(--mantine-color-${color}-6) 9%, var(--mantine-color-body))`,
          "--alert-bd": `1px solid color-mix(in srgb, var(--mantine-color-${color}-6) 35%, transparent)`,
        },
      }),
      styles: { message: { color: "var(--mantine-color-text)" } },
    }),
    // Within a sentence a link is told from the words around it by more than its colour.
    Anchor: Anchor.extend({ defaultProps: { underline: "always" } }),
    Notification: Notification.extend({
      defaultProps: { closeButtonProps: { "aria-label": "Dismiss" } },
      styles: { description: { color: "var(--mantine-color-dimmed)" } },
    }),
    Paper: Paper.extend({ defaultProps: { withBorder: true, radius: "lg" } }),
    Modal: Modal.extend({
      styles: { title: { fontWeight: 600 } },
      defaultProps: {
        centered: true,
        radius: "lg",
        overlayProps: { backgroundOpacity: 0.5 },
        closeButtonProps: { "aria-label": "Close" },
      },
    }),
    Progress: Progress.extend({ styles: { root: { background: "var(--coffer-track)" } } }),
    // Bars move several times a second: to glide between, too, would have the browser paint all the time.
    ProgressRoot: Progress.Root.extend({
      defaultProps: { transitionDuration: 0 },
      styles: { root: { background: "var(--coffer-track)" } },
    }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 400, withArrow: true } }),
  },
})

/** Mantine's grey for secondary text is too pale on white to read with ease (3.3:1); these reach 5:1 and more. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--coffer-page": "#f5f7f8",
    "--coffer-line": "#e1e6ea",
    "--coffer-track": "#e4e9ec",
    "--coffer-others": "#adb5bd",
    "--coffer-good": "#2b8a3e",
    "--coffer-warn": "#8f4a00",
    "--coffer-bad": "#c92a2a",
    "--coffer-hover": "#f3f6f7",
    "--coffer-accent": "var(--mantine-color-petrol-7)",
    "--coffer-second": "#a8671b",
    "--coffer-nav-hover": "#e9eef0",
    "--coffer-nav-active": "var(--mantine-color-petrol-1)",
    "--coffer-nav-active-text": "var(--mantine-color-petrol-8)",
    "--mantine-color-dimmed": "#59636d",
    "--mantine-color-placeholder": "#6b7680",
    "--mantine-color-error": "#c92a2a",
    "--mantine-color-default-border": "#d3dadf",
  },
  dark: {
    "--coffer-page": "#0f1418",
    "--coffer-line": "#2a323a",
    "--coffer-track": "#2d363e",
    "--coffer-others": "#66717b",
    "--coffer-good": "#51cf66",
    "--coffer-warn": "#ffb454",
    "--coffer-bad": "#ff8787",
    "--coffer-hover": "#1e252c",
    "--coffer-accent": "var(--mantine-color-petrol-3)",
    "--coffer-second": "#e0a458",
    "--mantine-color-petrol-light": "#1a3840",
    "--mantine-color-petrol-light-hover": "#20444e",
    "--mantine-color-petrol-light-color": "var(--mantine-color-petrol-1)",
    "--coffer-nav-hover": "#1b2229",
    "--coffer-nav-active": "#1a3840",
    "--coffer-nav-active-text": "var(--mantine-color-petrol-1)",
    "--mantine-color-dimmed": "#9aa5af",
    "--mantine-color-placeholder": "#9aa5af",
    "--mantine-color-error": "#ff8787",
  },
})
