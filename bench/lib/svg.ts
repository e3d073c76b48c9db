/** Attributes of an element; `class` is one of the classes of {@link drawing}. */
type Attributes = Record<string, string | number>

export function element(name: string, attributes: Attributes, content = ''): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${shortened(value)}"`)
  return `<${name}${list.join('')}>${content}</${name}>`
}

export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escaped(content))
}

/** A whole drawing, readable on light and dark pages: it brings its own background. */
export function drawing(title: string, width: number, height: number, parts: readonly string[]): string {
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: 'img',
    'aria-label': escaped(title),
  }
  const background = element('rect', { class: 'page', width, height, rx: 6 })
  return `${element('svg', attributes, [`<style>${STYLE}</style>`, background, ...parts].join('\n'))}\n`
}

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.page { fill: #ffffff }
.faint { fill: #59636e; font-size: 11px }
.title { font-weight: 600 }
.end { text-anchor: end }
.middle { text-anchor: middle }
.rule { stroke: #d1d9e0 }
.ours { fill: #0969da; stroke: #0969da }
.peer { fill: #bf5700; stroke: #bf5700 }
.bare { fill: #8c959f; stroke: #8c959f }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .page { fill: #0d1117 }
  .faint { fill: #9198a1 }
  .rule { stroke: #3d444d }
  .ours { fill: #4493f8; stroke: #4493f8 }
  .peer { fill: #e0823d; stroke: #e0823d }
  .bare { fill: #6e7681; stroke: #6e7681 }
}
`

function shortened(value: string | number): string | number {
  return typeof value === 'number' ? Number(value.toFixed(1)) : value
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
