# Both images. The context holds static Linux programs: `cargo xtask up` builds them and calls this.
#
#   docker build --build-arg PROGRAM=peerwright-operator -t docker.io/peerwright/peerwright-operator:dev target/x86_64-unknown-linux-gnu/release -f Dockerfile
#
# A stage per program, because ENTRYPOINT does not see arguments.
ARG PROGRAM=peerwright-node

FROM scratch AS peerwright-node
COPY peerwright-node /peerwright-node
ENTRYPOINT ["/peerwright-node"]

FROM scratch AS peerwright-operator
COPY peerwright-operator /peerwright-operator
ENTRYPOINT ["/peerwright-operator"]

FROM ${PROGRAM}
USER 65532:65532
