//! The parts that are fetched: where from, which version, which files.

use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::system;

/// One fetched part, installed as a folder of the cache.
pub(crate) struct Part {
    /// The folder's name, version included: another version is another folder.
    pub(crate) name: &'static str,
    /// The fetched files, as `sha256sum` lists them.
    pub(crate) pins: &'static str,
    /// How it is fetched and laid out.
    pub(crate) source: Source,
}

/// How a part is fetched.
pub(crate) enum Source {
    /// Java libraries from a Maven repository with all that they need at run time.
    Libraries(&'static [Artifact]),
    /// One packed archive from a Maven repository, unpacked after its checksum was compared.
    Archive {
        /// `group:artifact:version:packaging:classifier`.
        coordinates: &'static str,
        /// The name under which it arrives.
        file: &'static str,
    },
    /// The source distribution of a Python package, unpacked after its checksum was compared.
    Sdist {
        /// `name==version`.
        requirement: &'static str,
        /// The name under which it arrives.
        file: &'static str,
    },
}

/// A library in a Maven repository.
pub(crate) struct Artifact {
    group: &'static str,
    name: &'static str,
    version: &'static str,
}

/// Apache Kafka: broker and controller.
pub(crate) const KAFKA: Part = Part {
    name: "kafka-4.2.2",
    pins: include_str!("../pins/kafka-4.2.2.sha256"),
    source: Source::Libraries(&[
        Artifact {
            group: "org.apache.kafka",
            name: "kafka_2.13",
            version: "4.2.2",
        },
        // The broker's POM brings no logger, and without one it starts silently.
        Artifact {
            group: "org.slf4j",
            name: "slf4j-simple",
            version: "1.7.36",
        },
    ]),
};

/// Apicurio Registry, which speaks the Confluent protocol. The last line published as a runnable archive.
pub(crate) const REGISTRY: Part = Part {
    name: "apicurio-registry-2.6.13.Final",
    pins: include_str!("../pins/apicurio-registry-2.6.13.Final.sha256"),
    source: Source::Archive {
        coordinates: "io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all",
        file: "apicurio-registry-app-2.6.13.Final-all.tar.gz",
    },
};

/// Texts in which personal spans are labelled (MIT): what recall is measured by.
pub(crate) const LABELLED_TEXTS: Part = Part {
    name: "presidio-evaluator-0.3.2",
    pins: include_str!("../pins/presidio-evaluator-0.3.2.sha256"),
    source: Source::Sdist {
        requirement: "presidio-evaluator==0.3.2",
        file: "presidio_evaluator-0.3.2.tar.gz",
    },
};

/// All parts, in the order in which they are fetched.
pub(crate) const ALL: [&Part; 3] = [&KAFKA, &REGISTRY, &LABELLED_TEXTS];

const DEPENDENCY_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";

impl Source {
    /// Fetches the files that the pins name into `files`; `scratch` takes whatever else arises.
    pub(crate) fn fetch(&self, files: &Path, scratch: &Path, progress: &dyn Fn(&str)) -> Result<(), Error> {
        if let Self::Sdist { requirement, .. } = self {
            return fetch_python(requirement, files, scratch, progress);
        }
        let mut maven = system::SETPRIV.command(progress)?;
        maven
            .args(["--pdeathsig", "KILL", "--"]) // a killed fetch leaves no download behind
            .arg(system::MAVEN.find_or_install(progress)?);
        // A local repository of its own: a broken download cannot stay behind in the user's.
        maven
            .args(["-B", "-q", "-ntp"])
            .arg(format!("-Dmaven.repo.local={}", scratch.join("m2").display()));
        match self {
            Self::Sdist { .. } => {}
            Self::Libraries(artifacts) => {
                let project = scratch.join("pom.xml");
                std::fs::write(&project, pom(artifacts)).map_err(Error::io("writing a Maven project"))?;
                maven
                    .arg("-f")
                    .arg(project)
                    .arg(format!("{DEPENDENCY_PLUGIN}:copy-dependencies"))
                    .arg("-DincludeScope=runtime");
            }
            Self::Archive { coordinates, .. } => {
                maven
                    .arg(format!("{DEPENDENCY_PLUGIN}:copy"))
                    .arg(format!("-Dartifact={coordinates}"));
            }
        }
        maven
            .arg(format!("-DoutputDirectory={}", files.display()))
            .current_dir(scratch);
        system::run(&mut maven).map(drop)
    }

    /// Lays the verified files out as they are used: an archive is replaced by what is in it.
    pub(crate) fn unpack(&self, files: &Path, progress: &dyn Fn(&str)) -> Result<(), Error> {
        let (Self::Archive { file, .. } | Self::Sdist { file, .. }) = self else {
            return Ok(());
        };
        let archive = files.join(file);
        let mut tar = system::TAR.command(progress)?;
        tar.arg("-xzf")
            .arg(&archive)
            .arg("-C")
            .arg(files)
            .arg("--no-same-owner");
        system::run(&mut tar)?;
        std::fs::remove_file(&archive).map_err(Error::io(format!("removing {}", archive.display())))
    }
}

/// Downloads a source distribution by a package manager of its own, in an environment made for it.
fn fetch_python(requirement: &str, files: &Path, scratch: &Path, progress: &dyn Fn(&str)) -> Result<(), Error> {
    let environment = scratch.join("python");
    let mut make = system::PYTHON.command(progress)?;
    system::run(make.args(["-m", "venv"]).arg(&environment))?;
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args([
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-binary",
        ":all:",
    ])
    .arg("--dest")
    .arg(files)
    .arg(requirement);
    system::run(&mut pip).map(drop)
}

/// A Maven project that depends on the artifacts and does nothing else.
fn pom(artifacts: &[Artifact]) -> String {
    let dependencies: String = artifacts
        .iter()
        .map(|Artifact { group, name, version }| {
            format!(
                "    <dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
                 <version>{version}</version></dependency>\n"
            )
        })
        .collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>zenfloe.test</groupId>\n  <artifactId>parts</artifactId>\n  <version>1</version>\n  \
         <packaging>pom</packaging>\n  <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}
