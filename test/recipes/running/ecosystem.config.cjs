module.exports = {
  apps: [
    {
      name: 'shop',
      script: 'dist/server.js', // compiled: pm2 runs TypeScript on Bun, and on Node 22.18 or later
      exec_mode: 'cluster',
      instances: 'max',
      kill_timeout: 12_000, // milliseconds, by default 1600: server.ts takes up to 11 000
      env: {
        NODE_ENV: 'production',
        PORT: 3000,
        SESSION_STORE: 'memcached://127.0.0.1:11200',
        SESSION_SECRET_FILE: '/etc/shop/session-secret', // a file: pm2 saves what stands here
      },
    },
  ],
}
