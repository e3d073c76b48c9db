import type { Fault } from './bundle.ts'

const RECORD_IO = 'src/core/record/record-io.ts'
const OPENED = 'src/core/record/opened-records.ts'
const LOAD = 'src/core/session/load.ts'
const MANAGER = 'src/core/manager.ts'
const DRAFT = 'src/core/draft/draft.ts'

const KNOWN = 'const known = opened.recall(storeKey, stored.bytes, decode)'
/** So that the load knows of a record that it was remembered. */
const tellsLoad: Fault[] = [
  {
    file: RECORD_IO,
    piece: 'return { record: known, version }',
    replacement: 'return { record: known, version, isKnown: true }',
  },
]

/** Each remembers what was opened in a way that looks right while nobody else writes (S67). */
export const wrongMemories = {
  theVersion: [
    before(RECORD_IO, '/** How long a load, and a commit, may keep', 'const versions = new Map()'),
    {
      file: RECORD_IO,
      piece: 'return { record: known, version }',
      replacement: 'return { record: known, version: versions.get(String(stored.bytes)) ?? version }',
    },
    {
      file: RECORD_IO,
      piece: 'else opened.remember(storeKey, bytes, text!)',
      replacement: 'else versions.set(String(bytes), version), opened.remember(storeKey, bytes, text!)',
    },
  ],
  markNotAsked: [
    ...tellsLoad,
    {
      file: LOAD,
      piece: 'const reason = record.signedIn && (',
      replacement: 'const reason = record.signedIn && !found.isKnown && (',
    },
  ],
  deadlineNotAsked: [
    ...tellsLoad,
    {
      file: LOAD,
      piece: 'if (record.deadline <= now()) {',
      replacement: 'if (!found.isKnown && record.deadline <= now()) {',
    },
  ],
  oneForAllManagers: [
    before(
      MANAGER,
      '/**\n * Opens the session of a request and commits',
      'const shared = new OpenedRecords()',
    ),
    { file: MANAGER, piece: 'opened: new OpenedRecords(),', replacement: 'opened: shared,' },
  ],
  parsedValues: [
    before(RECORD_IO, '/** How long a load, and a commit, may keep', 'const decoded = new Map()'),
    {
      file: RECORD_IO,
      piece: KNOWN,
      replacement: `const decodeOnce = (text) => decoded.get(text) ?? decoded.set(text, decode(text)).get(text)
    const known = opened.recall(storeKey, stored.bytes, decodeOnce)`,
    },
    {
      file: RECORD_IO,
      piece: 'const record = text ? decode(text) : undefined',
      replacement: 'const record = text ? decodeOnce(text) : undefined',
    },
    before(
      DRAFT,
      'const NOTHING: SessionTexts = new Map()',
      `const parsed = new WeakMap()
function parseOnce(texts, key, text) {
  if (text === undefined || texts.get(key) !== text) return parse(text)
  if (!parsed.has(texts)) parsed.set(texts, new Map())
  const values = parsed.get(texts)
  if (!values.has(key)) values.set(key, parse(text))
  return values.get(key)
}`,
    ),
    {
      file: DRAFT,
      piece: 'const value = parse(text)\n',
      replacement: 'const value = parseOnce(this.#texts, key, text)\n',
    },
  ],
  viewNotCopied: [
    {
      file: RECORD_IO,
      piece: 'const bytes = scratch(stored.bytes)',
      replacement: 'const bytes = stored.bytes',
    },
    {
      file: OPENED,
      piece: 'opened.sealedLength = sealed.length',
      replacement: 'opened.view = sealed\n    opened.sealedLength = sealed.length',
    },
    {
      file: OPENED,
      piece: 'areEqual(bytes.subarray(0, sealedLength), sealed)',
      replacement: 'areEqual(opened.view, sealed)',
    },
  ],
  /** Since what is read for the second time: the record as it was before the last write. */
  valueNotForgotten: [{ file: OPENED, piece: 'opened.value = undefined\n', replacement: '' }],
  bytesNotCompared: [
    {
      file: OPENED,
      piece: 'if (!areEqual(bytes.subarray(0, sealedLength), sealed)) return undefined',
      replacement: '',
    },
  ],
} satisfies Record<string, Fault[]>

function before(file: string, piece: string, inserted: string): Fault {
  return { file, piece, replacement: `${inserted}\n${piece}` }
}
