import commonjs from '@rollup/plugin-commonjs'
import resolve from '@rollup/plugin-node-resolve'

export default {
  input: 'server.ts',
  output: { file: 'out/server.mjs' },
  plugins: [resolve({ preferBuiltins: true }), commonjs()],
}
