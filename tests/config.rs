//! `apitap config`: the defaults can be printed and are valid; what is wrong with a file is said with its line.

#[path = "support/cli.rs"]
mod cli;

use cli::{Folder, apitap, command, run};

#[test]
fn the_printed_default_is_valid() {
    let folder = Folder::new();
    let text = apitap(&["config", "default"]).with_status(0).out;
    let file = folder.write("apitap.toml", &text);
    let checked = apitap(&["config", "check", &file]).with_status(0);
    assert_eq!(checked.out, format!("{file} is valid\n"));
    assert!(text.lines().filter(|line| line.contains(" = ")).count() > 50, "{text}");
}

#[test]
fn a_mistake_is_told_with_its_place_and_the_mend() {
    let folder = Folder::new();
    let file = folder.write("apitap.toml", "[capture]\nsnaplen = 65535\nbufer_mib = 64\n");
    let refused = apitap(&["config", "check", &file]).with_status(1).err;
    assert!(refused.contains("apitap.toml:3: ") && refused.contains("did you mean `buffer_mib`?"), "{refused}");
    let file = folder.write("apitap.toml", "[capture]\n");
    let refused = run(command().args(["config", "check", &file]).env("APITAP_CAPTURE__BUFER_MIB", "64")).with_status(1);
    assert!(refused.err.contains("did you mean `APITAP_CAPTURE__BUFFER_MIB`?"), "{}", refused.err);
    assert!(refused.out.is_empty());
}

#[test]
fn what_the_configuration_names_is_checked_too() {
    let folder = Folder::new();
    let rules = folder.write("rules/shadow_endpoint.toml", "[shadow_endpoint]\nmin_success = 3\n");
    let rules = std::path::Path::new(&rules).parent().expect("a folder").display().to_string();
    let file = folder.write("rules.toml", format!("[rules]\nfolder = \"{rules}\"\n"));
    let refused = apitap(&["config", "check", &file]).with_status(1).err;
    assert!(refused.contains("`rules.folder`") && refused.contains("shadow_endpoint.toml:2: "), "{refused}");
    let file =
        folder.write("hook.toml", "[alert.webhook]\nurl = \"http://[::1]/\"\nsecret_file = \"/nonexistent/key\"\n");
    let refused = apitap(&["config", "check", &file]).with_status(1).err;
    assert!(refused.contains("hook.toml: /nonexistent/key: the webhook's key cannot be read"), "{refused}");
    let file = folder.write("api.toml", "[api]\nopenapi = [\"/nonexistent/api.yaml\"]\n");
    let refused = apitap(&["config", "check", &file]).with_status(1).err;
    assert!(refused.contains("`api.openapi`") && refused.contains("/nonexistent/api.yaml"), "{refused}");
}

#[test]
fn what_servers_elsewhere_answer_is_none_of_ours() {
    let folder = Folder::new();
    let capture = folder.path("traffic.pcap");
    let simulate = ["simulate", "-o", &capture, "--duration", "2m", "--rate", "5", "--clients", "10", "--seed", "3"];
    apitap(&simulate).with_status(0);
    let endpoints = |home: &str| {
        let file = folder.write("apitap.toml", format!("[site]\nhome_networks = [{home}]\n"));
        let run = apitap(&["inventory", &capture, "--config", &file, "--format", "json", "--no-progress"]);
        run.with_status(0).records().len()
    };
    let all = endpoints("");
    assert!(all > 20, "{all}");
    assert_eq!(endpoints("\"10.20.0.0/24\", \"2001:db8::/32\""), all);
    assert_eq!(endpoints("\"10.21.0.0/16\""), 0);
    // One of the site's hosts.
    let some = endpoints("\"10.20.0.40/31\"");
    assert!(some > 0 && some < all, "{some} of {all}");
}
