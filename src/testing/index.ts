export { issueSession } from './issue-session.ts'
export { sessionStoreContract, type StoreContractCase, type StoreContractOptions } from './store-contract.ts'
