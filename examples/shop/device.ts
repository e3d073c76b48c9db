// In this order, for most of them call themselves what stands below them, too.
const BROWSERS = { Edge: /Edg/, Firefox: /Firefox|FxiOS/, Chrome: /Chrome|CriOS/, Safari: /Safari/ }
const SYSTEMS = {
  iPhone: /iPhone/,
  iPad: /iPad/,
  Android: /Android/,
  ChromeOS: /CrOS/,
  Windows: /Windows/,
  macOS: /Mac OS/,
  Linux: /Linux/,
}

/** Enough for people to know their own devices by: "Firefox on Linux". Nothing may rest on it: anybody can send any. */
export function describeDevice(userAgent = ''): string {
  return `${firstIn(BROWSERS, userAgent) ?? 'A browser'} on ${firstIn(SYSTEMS, userAgent) ?? 'an unknown system'}`
}

function firstIn(names: Record<string, RegExp>, userAgent: string): string | undefined {
  return Object.keys(names).find((name) => names[name]!.test(userAgent))
}
