//! The arguments of the commands about evidence.

use std::path::PathBuf;

use clap::Args;
use gdpr_jobs::RequestId;

#[derive(Args)]
pub(in crate::cli) struct VerifyArgs {
    /// An archive (a file, or what the field `archive` of a request says), a receipt, or a file of checkpoints
    #[arg(value_name = "FILE", required_unless_present = "ledger")]
    pub(in crate::cli) place: Option<String>,
    /// File with the age identity that opens an encrypted archive
    #[arg(long, value_name = "FILE", requires = "place")]
    pub(in crate::cli) identity: Option<PathBuf>,
    /// Alone: verify the whole ledger. With an archive: fail if the ledger cannot be asked
    #[arg(long)]
    pub(in crate::cli) ledger: bool,
    /// File of checkpoints that the ledger, or the receipt, must agree with
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) checkpoint: Vec<PathBuf>,
    /// The key of who signs, or a file with it [default: that of GDPR_SIGNING_KEY]
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) public_key: Vec<String>,
}

#[derive(Args)]
pub(in crate::cli) struct ReceiptArgs {
    /// The request
    pub(in crate::cli) id: RequestId,
    /// Write it into this file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// File of checkpoints, the first of which that covers the request is named [default: GDPR_CHECKPOINT_FILE]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) checkpoint: Vec<PathBuf>,
}
