import cluster from 'node:cluster'
import { createSessionManager } from '../../src/core/index.ts'

// A primary with one worker, each of which opens a session in its own memory.
createSessionManager().open(undefined)
if (cluster.isPrimary) cluster.fork()
else cluster.worker!.disconnect()
