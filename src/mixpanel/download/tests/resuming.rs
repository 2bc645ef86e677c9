//! Downloads that break off: they go on, begin anew, or end, and never mix versions.

use super::*;

const PATIENT: Retries =
    Retries { tries: 6, restarts: 2, first_wait: Duration::ZERO, most_wait: Duration::ZERO };

const V1: &str = "etag: \"v1\"\r\n";
/// MD5 of `0123456789`.
const MD5: &str = "content-md5: eB5eJF1ptWaXm4bijSPyxw==\r\n";

/// All ten bytes announced, so many sent.
fn cut(headers: &str, bytes: usize) -> String {
    let headers = format!("{headers}content-length: 10\r\n");
    answer("200 OK", &headers, "0123456789".get(..bytes).unwrap())
}

/// The rest from `first` on, of which so many bytes are sent.
fn rest(headers: &str, first: usize, bytes: usize) -> String {
    let length = 10 - first;
    let headers =
        format!("{headers}content-range: bytes {first}-9/10\r\ncontent-length: {length}\r\n");
    answer("206 Partial Content", &headers, "0123456789".get(first..first + bytes).unwrap())
}

struct Run {
    result: Result<Downloaded, DownloadError>,
    sink: Collected,
    /// The heads of the requests.
    heads: Vec<String>,
}

async fn run_with(answers: Vec<String>, idle: Duration) -> Run {
    let (port, mut seen) = server(answers).await;
    let hosts = format!("127.0.0.1:{port}").parse().unwrap();
    let timeouts = DownloadTimeouts { idle, ..DownloadTimeouts::default() };
    let downloader = Downloader::new(hosts, timeouts).unwrap().with_retries(PATIENT);
    let link = ExportLink::parse(&format!("http://127.0.0.1:{port}/canary")).unwrap();
    let mut sink = Collected::default();
    let result = downloader.download(&link, &mut sink, 10).await;
    let mut heads = Vec::new();
    while let Ok(head) = seen.try_recv() {
        heads.push(head.to_lowercase());
    }
    Run { result, sink, heads }
}

async fn run(answers: Vec<String>) -> Run {
    run_with(answers, Duration::from_secs(60)).await
}

fn ranges(run: &Run) -> Vec<Option<&str>> {
    run.heads
        .iter()
        .map(|head| head.lines().find_map(|line| line.strip_prefix("range: ")))
        .collect()
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_stood() {
    let run = run(vec![cut(V1, 4), rest(V1, 4, 2), rest("", 6, 4)]).await;
    let got = run.result.as_ref().unwrap();
    assert_eq!((got.bytes, got.breaks, run.sink.restarts), (10, 2, 0));
    assert_eq!(run.sink.bytes, b"0123456789");
    assert_eq!(ranges(&run), [None, Some("bytes=4-"), Some("bytes=6-")]);
    for head in &run.heads {
        assert!(head.contains("accept-encoding: gzip\r\n"), "{head}");
        assert_eq!(head.contains("if-range: \"v1\"\r\n"), head.contains("range: bytes"));
    }
}

#[tokio::test]
async fn a_download_that_stands_still_goes_on() {
    let stalled = cut(V1, 4) + STALL;
    let run = run_with(vec![stalled, rest(V1, 4, 6)], Duration::from_millis(200)).await;
    assert_eq!((run.result.unwrap().breaks, run.sink.bytes), (1, b"0123456789".to_vec()));
}

#[tokio::test]
async fn a_date_that_is_old_enough_is_a_validator() {
    let dated =
        "last-modified: Mon, 23 Nov 2026 10:00:00 GMT\r\ndate: Tue, 24 Nov 2026 10:00:00 GMT\r\n";
    let run = run(vec![cut(dated, 4), rest("", 4, 6)]).await;
    assert_eq!((run.sink.restarts, run.sink.bytes), (0, b"0123456789".to_vec()));
    assert!(run.heads[1].contains("if-range: mon, 23 nov 2026 10:00:00 gmt\r\n"));
}

#[tokio::test]
async fn a_storage_that_is_away_for_a_moment_is_asked_again() {
    let away = || answer("503 Unavailable", "", "");
    let run = run(vec![away(), cut(V1, 4), away(), rest(V1, 4, 6)]).await;
    assert_eq!((run.result.unwrap().breaks, run.sink.restarts), (3, 0));
    assert_eq!(run.sink.bytes, b"0123456789");
}

#[tokio::test]
async fn what_does_not_continue_the_same_version_is_refused_and_all_begins_anew() {
    let part = |headers: &str, body: &str| answer("206 Partial Content", headers, body);
    let other = [
        ("starts elsewhere", part("content-range: bytes 3-9/10\r\n", "3456789")),
        ("has another total", part("content-range: bytes 4-10/11\r\n", "456789a")),
        ("says nothing of its range", part("", "456789")),
        ("is in pieces", part("content-type: multipart/byteranges; boundary=x\r\n", "--x")),
        (
            "is of another length",
            part("content-range: bytes 4-9/10\r\ncontent-length: 3\r\n", "456"),
        ),
        ("ends before it starts", part("content-range: bytes 4-2/10\r\n", "456789")),
        ("is of another version", rest("etag: \"v2\"\r\n", 4, 6)),
        ("is packed otherwise", rest("content-encoding: gzip\r\n", 4, 6)),
        ("cannot be had", answer("416 Range Not Satisfiable", "content-range: bytes */3\r\n", "")),
    ];
    for (what, answer) in other {
        let run = run(vec![cut(V1, 4), answer, ok("abcdefghij")]).await;
        assert!(run.result.is_ok(), "{what}: {:?}", run.result);
        assert_eq!(
            (run.sink.restarts, run.sink.bytes.as_slice()),
            (1, &b"abcdefghij"[..]),
            "{what}"
        );
        assert_eq!(ranges(&run), [None, Some("bytes=4-"), None], "{what}");
    }
}

#[tokio::test]
async fn a_whole_answer_to_the_question_for_the_rest_is_taken_as_the_whole() {
    let run = run(vec![cut(V1, 4), ok("abcdefghij")]).await;
    assert_eq!((run.heads.len(), run.sink.restarts), (2, 1));
    assert_eq!((run.result.unwrap().bytes, run.sink.bytes), (10, b"abcdefghij".to_vec()));
}

#[tokio::test]
async fn without_a_validator_there_is_no_going_on() {
    for headers in ["", "etag: W/\"v1\"\r\n", "etag: \"v1\"\r\naccept-ranges: none\r\n"] {
        let run = run(vec![cut(headers, 4), ok("0123456789")]).await;
        assert_eq!(ranges(&run), [None, None], "{headers}");
        assert_eq!((run.sink.restarts, run.sink.bytes), (1, b"0123456789".to_vec()));
    }
}

#[tokio::test]
async fn beginnings_and_requests_are_counted() {
    let run_out = run(vec![cut("", 4); 20]).await;
    assert_eq!(format!("{:?}", run_out.result.unwrap_err()), "Broken");
    assert_eq!(run_out.heads.len(), 3, "the first one and two restarts");

    let refused = run(vec![cut(V1, 4); 20]).await;
    assert_eq!(format!("{:?}", refused.result.unwrap_err()), "Broken");
    assert_eq!(refused.heads.len(), 4, "the third whole answer is one too many");

    let away = run(vec![answer("503 Unavailable", "", ""); 20]).await;
    assert_eq!(format!("{:?}", away.result.unwrap_err()), "Server { status: 503 }");
    assert_eq!(away.heads.len(), 6);
}

#[tokio::test]
async fn each_hop_of_each_attempt_is_checked() {
    let hop = answer("302 Found", "location: http://169.254.169.254/\r\n", "");
    let run = run(vec![cut(V1, 4), hop]).await;
    let error = run.result.unwrap_err();
    assert!(matches!(error, DownloadError::NotAllowed(LinkRefusal::Host)), "{error:?}");
}

#[tokio::test]
async fn a_link_that_runs_out_on_the_way_is_gone() {
    let run = run(vec![cut(V1, 4), answer("403 Forbidden", "", "")]).await;
    assert_eq!(format!("{:?}", run.result.unwrap_err()), "Gone { status: 403 }");
    assert_eq!(run.heads.len(), 2);
}

#[tokio::test]
async fn bytes_that_do_not_fit_the_checksum_are_fetched_anew_and_then_refused() {
    let right = || answer("200 OK", &format!("{MD5}content-length: 10\r\n"), "0123456789");
    let wrong = || answer("200 OK", &format!("{MD5}content-length: 10\r\n"), "012345678x");
    let mended = run(vec![wrong(), right()]).await;
    assert!(mended.result.as_ref().unwrap().checksum_checked);
    assert_eq!((mended.sink.restarts, mended.sink.bytes), (1, b"0123456789".to_vec()));

    let refused = run(vec![wrong(), wrong(), wrong(), right()]).await;
    let error = refused.result.unwrap_err();
    assert!(matches!(error, DownloadError::Checksum { kind: "Content-MD5" }), "{error:?}");
    assert!(!error.to_string().contains("canary"));
}

#[tokio::test]
async fn the_checksum_is_of_all_parts_together() {
    let headers = format!("{V1}{MD5}");
    let whole = run(vec![cut(&headers, 4), rest(V1, 4, 6)]).await;
    assert!(whole.result.unwrap().checksum_checked);

    // Other content behind the same name: only the checksum tells.
    let other = rest(V1, 4, 6).replace("456789", "abcdef");
    let mended = run(vec![cut(&headers, 4), other, ok("0123456789")]).await;
    assert_eq!((mended.sink.restarts, mended.sink.bytes), (1, b"0123456789".to_vec()));
}

#[tokio::test]
async fn what_is_packed_on_the_way_is_kept_as_it_comes() {
    let packed = answer("200 OK", "content-encoding: gzip\r\ncontent-length: 4\r\n", "gzip");
    assert_eq!(run(vec![packed]).await.sink.bytes, b"gzip");

    // The storage's checksum is of what it stores, and it says that this is something else.
    let unpacked = format!(
        "x-goog-stored-content-encoding: gzip\r\nx-goog-hash: md5=AAAAAAAAAAAAAAAAAAAAAA==\r\n\
        x-goog-stored-content-length: 4\r\n{V1}"
    );
    let run = run(vec![cut(&unpacked, 4), ok("0123456789")]).await;
    assert_eq!(ranges(&run), [None, None]);
    let got = run.result.unwrap();
    assert_eq!((got.bytes, got.checksum_checked), (10, false));
}

#[tokio::test]
async fn a_stored_length_counts_where_no_other_is_given() {
    let short = answer("200 OK", "x-goog-stored-content-length: 10\r\n", "0123");
    let run = run(vec![short.clone(), short.clone(), short]).await;
    assert_eq!(format!("{:?}", run.result.unwrap_err()), "Broken");
}

#[tokio::test]
async fn a_rest_that_is_too_large_is_not_taken() {
    let chunked = answer("200 OK", &format!("{V1}transfer-encoding: chunked\r\n"), "4\r\n0123\r\n");
    let huge = answer("206 Partial Content", "content-range: bytes 4-99/100\r\n", "456789");
    let run = run(vec![chunked, huge]).await;
    assert_eq!(format!("{:?}", run.result.unwrap_err()), "TooLarge { limit: 10 }");
    assert_eq!(run.sink.bytes, b"0123");
}
